// What the Lead page says.
export const rows = {
    "lead.title": ["Lead", "Responsable"],
};
