// What all pages say.
export const rows = {
    "page.desk": ["Desk", "Mostrador"],
    "page.lead": ["Lead", "Responsable"],
    "page.admin": ["Admin", "Administración"],
    "nav.pages": ["Pages", "Páginas"],
    "nav.language": ["Español", "English"],
    "nav.lock": ["Lock this page", "Bloquear esta página"],

    "login.title": ["This page is closed", "Esta página está cerrada"],
    "login.why": [
        "It opens from this PC only. Type this in a terminal:",
        "Solo se abre desde este PC. Escriba esto en un terminal:",
    ],
    "login.once": [
        "Each address that it prints is good once, for one minute.",
        "Cada dirección que muestra vale una sola vez, durante un minuto.",
    ],
    "login.gone": ["Tideover does not run on this PC.", "Tideover no está en marcha en este PC."],
    "login.used": [
        "That address was used already or is too old. Open the page again.",
        "Esa dirección ya se usó o es demasiado antigua. Abra la página de nuevo.",
    ],

    "pin.title.lead": ["The lead’s PIN", "PIN del responsable"],
    "pin.title.admin": ["The admin’s PIN", "PIN de administración"],
    "pin.label": ["PIN", "PIN"],
    "pin.open": ["Open", "Abrir"],
    "pin.why": [
        "This page asks again after ten minutes in which nobody touched it.",
        "Esta página lo vuelve a pedir tras diez minutos sin que nadie la toque.",
    ],
    "pin.none": [
        "This page has no PIN yet. Whoever looks after this PC sets one, in a terminal:",
        "Esta página aún no tiene PIN. Quien cuida este PC lo pone en un terminal:",
    ],
    "pin.desk": ["Back to the desk", "Volver al mostrador"],
    "pin.again": ["Try again", "Reintentar"],

    "gone.title": ["Tideover does not answer", "Tideover no responde"],
    "gone.why": [
        "Nothing is saved until it is back. This page goes on by itself.",
        "No se guarda nada hasta que vuelva. Esta página continúa por sí sola.",
    ],

    "ago.never": ["never", "nunca"],
    "ago.now": ["now", "ahora"],
    "ago.seconds": ["{n} s ago", "hace {n} s"],
    "ago.minutes": ["{n} min ago", "hace {n} min"],
    "ago.hours": ["{n} h ago", "hace {n} h"],
    "ago.days": ["{n} {n|day|days} ago", "hace {n} {n|día|días}"],

    "error.gone": [
        "The program on this PC does not answer.",
        "El programa de este PC no responde.",
    ],
    "error.wrong_pin": ["That is not the PIN.", "Ese no es el PIN."],
    "error.no_pin": ["This page has no PIN yet.", "Esta página aún no tiene PIN."],
    "error.unlocking": [
        "Another PIN or passphrase is being tried. Wait a moment.",
        "Se está probando otro PIN o contraseña. Espere un momento.",
    ],
};
