/** All of the editor in one chunk that is loaded while the page connects. */
import {
	autocompletion,
	closeBrackets,
	closeBracketsKeymap,
	completeAnyWord,
	completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import {
	crosshairCursor,
	drawSelection,
	dropCursor,
	EditorView,
	highlightActiveLine,
	highlightActiveLineGutter,
	highlightSpecialChars,
	keymap,
	lineNumbers,
	rectangularSelection,
} from "@codemirror/view";
import { yCollab, yUndoManagerKeymap } from "y-codemirror.next";
import { UndoManager } from "yjs";
import type { DocumentHistory } from "../documents/history.ts";
import { editorTheme } from "./editor-theme.ts";
import { detectIndent } from "./indent.ts";
import { languageOf, loadLanguage } from "./languages.ts";

/** Above this size words are not completed and selections not matched: both would read all of the text at each key. */
const bigFileLength = 400_000;

export type FileEditor = {
	view: EditorView;
	setReadOnly(readOnly: boolean): void;
	/** The file has another name, and maybe another language. */
	setPath(path: string): void;
	destroy(): void;
};

export function createEditor(options: {
	history: DocumentHistory;
	path: string;
	readOnly: boolean;
	cursorMoved(position: { line: number; column: number }): void;
}): FileEditor {
	const { history } = options;
	const text = history.text.toString();
	const big = text.length > bigFileLength;
	const language = new Compartment();
	const access = new Compartment();
	const label = new Compartment();
	const undoManager = new UndoManager(history.text, { captureTimeout: 400 });
	const indent = detectIndent(text, options.path);

	const view = new EditorView({
		state: EditorState.create({
			doc: text,
			extensions: [
				basics,
				big ? [] : [autocompletion(), highlightSelectionMatches(), wordCompletion],
				indentUnit.of(indent.unit),
				EditorState.tabSize.of(indent.tabSize),
				language.of([]),
				access.of(readOnlyExtension(options.readOnly)),
				label.of(labelExtension(options.path)),
				EditorView.updateListener.of((update) => {
					if (update.selectionSet || update.docChanged) options.cursorMoved(cursorOf(update.state));
				}),
				yCollab(history.text, history.awareness, { undoManager }),
			],
		}),
	});
	options.cursorMoved(cursorOf(view.state));

	let wanted: string | null = null;
	async function setLanguage(path: string): Promise<void> {
		const name = languageOf(path);
		if (name === wanted) return;
		wanted = name;
		const loaded: Extension = name === null ? [] : await loadLanguage(name);
		if (wanted === name) view.dispatch({ effects: language.reconfigure(loaded) });
	}
	void setLanguage(options.path);

	return {
		view,
		setReadOnly: (readOnly) => view.dispatch({ effects: access.reconfigure(readOnlyExtension(readOnly)) }),
		setPath(path) {
			view.dispatch({ effects: label.reconfigure(labelExtension(path)) });
			void setLanguage(path);
		},
		destroy() {
			wanted = "";
			undoManager.destroy();
			view.destroy();
		},
	};
}

const wordCompletion = EditorState.languageData.of(() => [{ autocomplete: completeAnyWord }]);

const basics: Extension = [
	editorTheme,
	lineNumbers(),
	foldGutter(),
	highlightActiveLine(),
	highlightActiveLineGutter(),
	highlightSpecialChars(),
	drawSelection(),
	dropCursor(),
	rectangularSelection(),
	crosshairCursor(),
	bracketMatching(),
	closeBrackets(),
	indentOnInput(),
	search({ top: true }),
	EditorState.allowMultipleSelections.of(true),
	keymap.of([
		// The page's own: Run and Save are not the editor's.
		{ key: "Mod-Enter", run: () => true, preventDefault: false },
		...closeBracketsKeymap,
		...yUndoManagerKeymap,
		...completionKeymap,
		...searchKeymap,
		...foldKeymap,
		...defaultKeymap.filter((binding) => binding.key !== "Mod-Enter"),
		indentWithTab,
	]),
];

function readOnlyExtension(readOnly: boolean): Extension {
	return [EditorState.readOnly.of(readOnly), EditorView.editable.of(!readOnly)];
}

function labelExtension(path: string): Extension {
	// Read-only text is no field, but it too must be reached and scrolled by keyboard.
	return EditorView.contentAttributes.of({ "aria-label": `Editor: ${path}`, tabindex: "0" });
}

function cursorOf(state: EditorState): { line: number; column: number } {
	const { head } = state.selection.main;
	const line = state.doc.lineAt(head);
	return { line: line.number, column: head - line.from + 1 };
}
