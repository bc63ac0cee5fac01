import type { PtySize } from "@repldock/protocol";
import { onThemeChange } from "@repldock/ui";
import type { AccessKeeper } from "../connection/access.ts";
import { linkPty, type PtyLink } from "./pty-link.ts";
import { terminalTheme } from "./terminal-theme.ts";
import type { XtermTerminal } from "./xterm.ts";

/**
 * A terminal of the page: an element with its xterm and its PTY, both from when it is first seen. It lives as long as its tab, wherever the layout puts
 * the element; React never sees its output.
 */
export type TerminalSession = {
	ptyId: string;
	element: HTMLElement;
	/** The element is in the page and can be seen (or no longer). */
	setVisible(visible: boolean): void;
	focus(): void;
	/** The PTY is known to be there: a link that waits for its next dial dials now. */
	wake(): void;
	/** The size in cells, for a program that is about to start. */
	size(): PtySize;
	clear(): void;
	dispose(): void;
};

const defaultSize: PtySize = { columns: 80, rows: 24 };

export function createTerminalSession(options: {
	ptyId: string;
	label: string;
	access: AccessKeeper;
	/** Asked at each key: rights may be known late and change. */
	readOnly: () => boolean;
}): TerminalSession {
	const element = document.createElement("div");
	element.className = "ide-terminal";
	element.setAttribute("role", "group");
	element.setAttribute("aria-label", options.label);
	const cleanup: (() => void)[] = [];
	let xterm: XtermTerminal | null = null;
	let visible = false;
	let disposed = false;
	let wantsFocus = false;
	let frame = 0;
	let link: PtyLink | null = null;

	function fit(): void {
		if (!xterm || !visible || element.clientWidth < 20 || element.clientHeight < 20) return;
		const wanted = xterm.fit.proposeDimensions();
		if (!wanted || !Number.isFinite(wanted.cols) || !Number.isFinite(wanted.rows)) return;
		const size = { columns: Math.max(2, Math.min(wanted.cols, 1000)), rows: Math.max(1, Math.min(wanted.rows, 1000)) };
		if (size.columns !== xterm.terminal.cols || size.rows !== xterm.terminal.rows) {
			xterm.terminal.resize(size.columns, size.rows);
		}
		if (!options.readOnly()) link?.resize(size);
	}
	const fitSoon = () => {
		cancelAnimationFrame(frame);
		frame = requestAnimationFrame(fit);
	};

	async function load(): Promise<void> {
		const { createXterm } = await import("./xterm.ts");
		if (disposed || xterm) return;
		const fontFamily = getComputedStyle(element).fontFamily;
		const made = createXterm({ theme: terminalTheme(element), fontFamily });
		xterm = made;
		const { terminal } = made;
		cleanup.push(() => terminal.dispose());
		terminal.open(element);
		terminal.textarea?.setAttribute("aria-label", `${options.label} input`);
		const encoder = new TextEncoder();
		const type = (bytes: Uint8Array<ArrayBuffer>) => {
			if (!options.readOnly()) link?.input(bytes);
		};
		terminal.onData((data) => type(encoder.encode(data)));
		terminal.onBinary((data) => type(Uint8Array.from(data, (character) => character.charCodeAt(0))));
		terminal.attachCustomKeyEventHandler((event) => handleKey(event, made));
		cleanup.push(
			onThemeChange(() => {
				terminal.options.theme = terminalTheme(element);
			}),
		);
		// Linked only now: output that nobody processes would hold up the program for all who look at it.
		const linked = linkPty({
			ptyId: options.ptyId,
			access: options.access,
			write: (bytes, processed) => terminal.write(bytes, processed),
			reset: () => terminal.reset(),
			resized: (size) => terminal.resize(size.columns, size.rows),
		});
		link = linked;
		cleanup.push(() => linked.close());
		made.drawFast(visible);
		fit();
		if (wantsFocus) terminal.focus();
	}

	const observer = new ResizeObserver(fitSoon);
	observer.observe(element);
	cleanup.push(() => observer.disconnect());
	cleanup.push(() => cancelAnimationFrame(frame));

	return {
		ptyId: options.ptyId,
		element,
		wake: () => link?.connection.wake(),
		setVisible(next) {
			visible = next;
			if (visible && !xterm) void load();
			xterm?.drawFast(visible);
			if (visible) fitSoon();
		},
		focus() {
			wantsFocus = true;
			xterm?.terminal.focus();
		},
		size: () => (xterm ? { columns: xterm.terminal.cols, rows: xterm.terminal.rows } : defaultSize),
		clear: () => xterm?.terminal.clear(),
		dispose() {
			disposed = true;
			for (const act of cleanup.reverse()) act();
			element.remove();
		},
	};
}

/** Keys that belong to the page and not to the program in the terminal. @returns false to keep a key from xterm. */
function handleKey(event: KeyboardEvent, { terminal }: XtermTerminal): boolean {
	const command = event.ctrlKey || event.metaKey;
	if (command && event.key === "Enter") return false;
	if (command && event.shiftKey && event.code === "KeyC") {
		if (event.type === "keydown" && terminal.hasSelection()) {
			void navigator.clipboard.writeText(terminal.getSelection());
			event.preventDefault();
		}
		return false;
	}
	if (command && event.shiftKey && (event.code === "KeyV" || event.code === "KeyP")) return false;
	return true;
}
