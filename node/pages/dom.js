// Elements without innerHTML.

// el("button", { class: "big", onclick: f, "aria-label": "x" }, "text", child): null children are
// left out; an attribute that is false or undefined as well.
export function el(tag, attributes = {}, ...children) {
    const e = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
        else if (value === true) e.setAttribute(name, "");
        else if (value !== false && value !== undefined && value !== null) e.setAttribute(name, value);
    }
    e.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
    return e;
}

export function byId(id) {
    return document.getElementById(id);
}

// Sets the text only if it is another one: a live region is not read twice.
export function say(e, text) {
    if (e.textContent !== text) e.textContent = text;
}

// Replaces what is in e.
export function put(e, ...children) {
    e.replaceChildren(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
}
