/** All of xterm in one chunk that is loaded when the first terminal is shown. */
import { FitAddon } from "@xterm/addon-fit";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { type ITheme, Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { scrollbackLines } from "@repldock/protocol/constants";

export type XtermTerminal = { terminal: Terminal; fit: FitAddon; drawFast(on: boolean): void };

/** @param fontFamily A monospaced font, as CSS says it. */
export function createXterm(options: { theme: ITheme; fontFamily: string }): XtermTerminal {
	const terminal = new Terminal({
		allowProposedApi: true, // For the Unicode 11 widths (emoji take two cells).
		fontFamily: options.fontFamily,
		fontSize: 13,
		lineHeight: 1.2,
		scrollback: scrollbackLines,
		theme: options.theme,
		cursorBlink: false, // A blinking cursor redraws an idle page for ever.
		macOptionIsMeta: true,
		rightClickSelectsWord: false,
		minimumContrastRatio: 4.5,
	});
	const fit = new FitAddon();
	terminal.loadAddon(fit);
	terminal.loadAddon(new Unicode11Addon());
	terminal.unicode.activeVersion = "11";
	terminal.loadAddon(new WebLinksAddon((_event, uri) => window.open(uri, "_blank", "noopener,noreferrer")));

	let webgl: WebglAddon | null = null;
	function drawFast(on: boolean): void {
		if (on && !webgl && hasGraphicsCard()) {
			webgl = new WebglAddon();
			// Browsers allow few contexts and take them away; the terminal then draws with the DOM.
			webgl.onContextLoss(() => drawFast(false));
			terminal.loadAddon(webgl);
		} else if (!on && webgl) {
			webgl.dispose();
			webgl = null;
		}
	}
	return { terminal, fit, drawFast };
}

let graphicsCard: boolean | null = null;

/** Where WebGL is done in software, the DOM renderer is the faster one. Not all browsers say so by the caveat. */
function hasGraphicsCard(): boolean {
	if (graphicsCard === null) {
		const context = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
		const names = context?.getExtension("WEBGL_debug_renderer_info");
		const renderer = names ? String(context?.getParameter(names.UNMASKED_RENDERER_WEBGL)) : "";
		graphicsCard = context !== null && !/swiftshader|llvmpipe|softpipe|software/i.test(renderer);
		context?.getExtension("WEBGL_lose_context")?.loseContext();
	}
	return graphicsCard;
}
