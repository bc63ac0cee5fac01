/** The read-only editor of the history and its comparison, in a chunk that is loaded with the first file. */
import { defaultKeymap } from "@codemirror/commands";
import { foldGutter, foldKeymap } from "@codemirror/language";
import { goToNextChunk, goToPreviousChunk, MergeView, unifiedMergeView } from "@codemirror/merge";
import { search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";
import { editorTheme } from "../editor/editor-theme.ts";
import { detectIndent } from "../editor/indent.ts";
import { languageOf, loadLanguage } from "../editor/languages.ts";

export type FileView = {
	dom: HTMLElement;
	/** Moves to the change after or before the cursor. */
	go(direction: "next" | "previous"): void;
	destroy(): void;
};

/** Very different texts are compared coarsely rather than for long. */
const diffConfig = { scanLimit: 2_000, timeout: 400 };

/**
 * @param now Null shows `then` alone.
 * @param whole Also the lines that are the same.
 */
export function createView(options: {
	path: string;
	then: string;
	now: string | null;
	sideBySide: boolean;
	whole: boolean;
}): FileView {
	const { path, then, now } = options;
	const language = new Compartment();
	const collapse = options.whole ? {} : { collapseUnchanged: { margin: 3, minSize: 6 } };
	const extensions = (label: string): Extension => [
		diffTheme,
		editorTheme,
		lineNumbers(),
		highlightSpecialChars(),
		drawSelection(),
		search({ top: true }),
		EditorView.lineWrapping,
		EditorState.tabSize.of(detectIndent(then, path).tabSize),
		EditorState.readOnly.of(true),
		EditorView.editable.of(false),
		// Read-only text is no field, but it too must be reached and scrolled by keyboard.
		EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
		keymap.of([
			{ key: "F7", run: goToNextChunk, shift: goToPreviousChunk },
			...searchKeymap,
			...foldKeymap,
			...defaultKeymap.filter((binding) => binding.key !== "Mod-Enter"),
		]),
		language.of([]),
	];
	const made = make();

	function make(): { dom: HTMLElement; views: readonly EditorView[]; destroy(): void } {
		if (now === null) {
			const view = new EditorView({ doc: then, extensions: [extensions(`As it was: ${path}`), foldGutter()] });
			return { dom: view.dom, views: [view], destroy: () => view.destroy() };
		}
		if (options.sideBySide) {
			const merge = new MergeView({
				a: { doc: then, extensions: extensions(`Then: ${path}`) },
				b: { doc: now, extensions: extensions(`Now: ${path}`) },
				diffConfig,
				...collapse,
			});
			merge.dom.classList.add("ide-history-beside");
			return { dom: merge.dom, views: [merge.b, merge.a], destroy: () => merge.destroy() };
		}
		const compare = unifiedMergeView({ original: then, mergeControls: false, diffConfig, ...collapse });
		const view = new EditorView({ doc: now, extensions: [extensions(`Then and now: ${path}`), compare] });
		return { dom: view.dom, views: [view], destroy: () => view.destroy() };
	}

	let left = false;
	async function setLanguage(): Promise<void> {
		const name = languageOf(path);
		if (name === null) return;
		const loaded = await loadLanguage(name);
		if (left) return;
		for (const view of made.views) view.dispatch({ effects: language.reconfigure(loaded) });
	}
	// A text without colours is readable; the chunk comes with the next file.
	setLanguage().catch((error: unknown) => console.warn("The language's colours did not come:", error));

	return {
		dom: made.dom,
		go(direction) {
			const [view] = made.views;
			if (!view) return;
			(direction === "next" ? goToNextChunk : goToPreviousChunk)(view);
		},
		destroy() {
			left = true;
			made.destroy();
		},
	};
}

const removed = "color-mix(in srgb, var(--color-danger-fill) 30%, transparent)";
const added = "color-mix(in srgb, var(--color-positive-fill) 30%, transparent)";

/** Before the editor's own look, over which it wins. */
const diffTheme = EditorView.theme({
	".cm-content": { padding: "8px 0 24px" },
	".cm-activeLine": { backgroundColor: "transparent" },
	"&.cm-merge-a .cm-changedLine, .cm-deletedChunk": { backgroundColor: "var(--color-danger-soft)" },
	"&.cm-merge-b .cm-changedLine, .cm-inlineChangedLine": { backgroundColor: "var(--color-positive-soft)" },
	"&.cm-merge-a .cm-changedText, .cm-deletedChunk .cm-deletedText, &.cm-merge-b .cm-deletedText": {
		background: removed,
		borderRadius: "2px",
	},
	"&.cm-merge-b .cm-changedText": { background: added, borderRadius: "2px" },
	// The language's colours are made for the plain ground.
	".cm-changedText *, .cm-deletedText *": { color: "var(--color-text)" },
	"&.cm-merge-a .cm-changedLineGutter, .cm-deletedLineGutter": { background: "var(--color-danger-fill)" },
	"&.cm-merge-b .cm-changedLineGutter": { background: "var(--color-positive-fill)" },
	".cm-collapsedLines": {
		color: "var(--color-text-muted)",
		background: "var(--color-hover)",
		fontFamily: "var(--font-sans)",
		fontSize: "12px",
		padding: "4px 10px",
	},
	".cm-collapsedLines:hover": { color: "var(--color-text)", background: "var(--color-pressed)" },
});
