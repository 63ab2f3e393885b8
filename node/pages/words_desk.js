// What the Desk page says.
export const rows = {
    "desk.title": ["Desk", "Mostrador"],
};
