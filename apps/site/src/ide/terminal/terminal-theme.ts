import { tokenColor } from "@repldock/ui";
import type { ITheme } from "@xterm/xterm";

/** The terminal's colours as the page's theme is now. */
export function terminalTheme(element: HTMLElement): ITheme {
	const color = (name: string) => tokenColor(`--color-${name}`, element);
	const [red, green, yellow] = [color("terminal-red"), color("terminal-green"), color("terminal-yellow")];
	const [blue, magenta, cyan] = [color("terminal-blue"), color("terminal-magenta"), color("terminal-cyan")];
	const background = color("terminal");
	return {
		background,
		foreground: color("text"),
		cursor: color("accent"),
		cursorAccent: background,
		selectionBackground: color("editor-selection"),
		black: color("terminal-black"),
		red,
		green,
		yellow,
		blue,
		magenta,
		cyan,
		white: color("terminal-white"),
		brightBlack: color("text-faint"),
		brightRed: red,
		brightGreen: green,
		brightYellow: yellow,
		brightBlue: blue,
		brightMagenta: magenta,
		brightCyan: cyan,
		brightWhite: color("text"),
	};
}
