// Code 128 (ISO/IEC 15417), code set B: letters and digits as bars that a desk's scanner reads.
// Widths of bar, space, bar, .. of each symbol, eleven modules in all; the last is the stop.
const WIDTHS = ("212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 " +
    "113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 " +
    "212321 232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 " +
    "133121 313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 " +
    "111224 111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 " +
    "134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 " +
    "114113 114311 411113 411311 113141 114131 311141 411131 211412 211214 211232 2331112").split(" ");
const START_B = 104, STOP = 106;

// The symbols of a text: start, characters, check, stop. Printable ASCII only.
export function symbols(text) {
    const values = [...text].map((c) => c.charCodeAt(0) - 32);
    if (values.some((v) => !(v >= 0 && v <= 94))) throw new RangeError("Code 128 B has no such character");
    const sum = values.reduce((s, v, i) => s + v * (i + 1), START_B);
    return [START_B, ...values, sum % 103, STOP];
}

// Widths in modules, bar first, with no quiet zone.
export function widths(text) {
    return symbols(text).flatMap((s) => [...WIDTHS[s]].map(Number));
}

const SVG = "http://www.w3.org/2000/svg";

// An <svg> of the bars, black on white in every colour scheme, with a quiet zone of ten modules.
export function code128(text, label) {
    const all = widths(text), wide = all.reduce((a, b) => a + b, 0) + 20;
    const svg = document.createElementNS(SVG, "svg");
    const piece = (x, width, fill) => {
        const r = document.createElementNS(SVG, "rect");
        for (const [k, v] of Object.entries({ x, y: 0, width, height: 60, fill })) r.setAttribute(k, v);
        svg.append(r);
    };
    svg.setAttribute("viewBox", `0 0 ${wide} 60`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("shape-rendering", "crispEdges");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
    svg.classList.add("bars");
    piece(0, wide, "#fff");
    let x = 10;
    all.forEach((w, i) => {
        if (i % 2 === 0) piece(x, w, "#000");
        x += w;
    });
    return svg;
}
