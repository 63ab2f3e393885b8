// What the Admin page says.
export const rows = {
    "admin.title": ["Admin", "Administración"],
};
