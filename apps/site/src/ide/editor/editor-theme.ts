import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const frame = EditorView.theme({
	"&": { height: "100%", color: "var(--color-text)", backgroundColor: "var(--color-editor)", fontSize: "13px" },
	"&.cm-focused": { outline: "none" },
	".cm-scroller": { fontFamily: "var(--font-mono)", lineHeight: "1.6", overflow: "auto" },
	".cm-content": { padding: "10px 0 40vh", caretColor: "var(--color-accent)" },
	".cm-line": { padding: "0 12px 0 6px" },
	".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--color-accent)", borderLeftWidth: "2px" },
	"&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
		backgroundColor: "var(--color-editor-selection)",
	},
	".cm-gutters": { backgroundColor: "var(--color-editor)", color: "var(--color-editor-gutter)", border: "none" },
	".cm-lineNumbers .cm-gutterElement": { padding: "0 6px 0 16px", minWidth: "40px" },
	".cm-foldGutter .cm-gutterElement": { opacity: "0", transition: "opacity 120ms", cursor: "pointer" },
	"&:hover .cm-foldGutter .cm-gutterElement": { opacity: "1" },
	".cm-activeLine": { backgroundColor: "var(--color-editor-line)" },
	".cm-activeLineGutter": { backgroundColor: "var(--color-editor-line)", color: "var(--color-text)" },
	".cm-matchingBracket, &.cm-focused .cm-matchingBracket": {
		backgroundColor: "var(--color-editor-selection)",
		outline: "1px solid var(--color-border-strong)",
	},
	".cm-nonmatchingBracket": { color: "var(--color-syntax-invalid)" },
	".cm-searchMatch": { backgroundColor: "var(--color-editor-match)", borderRadius: "2px" },
	".cm-searchMatch-selected": { outline: "2px solid var(--color-accent)" },
	".cm-selectionMatch": { backgroundColor: "var(--color-editor-selection)" },
	".cm-foldPlaceholder": {
		color: "var(--color-text-muted)",
		backgroundColor: "var(--color-hover)",
		border: "none",
		padding: "0 6px",
	},
	".cm-tooltip": {
		color: "var(--color-text)",
		backgroundColor: "var(--color-raised)",
		border: "1px solid var(--color-border)",
		borderRadius: "var(--radius-medium)",
		boxShadow: "var(--shadow-medium)",
		overflow: "hidden",
	},
	".cm-tooltip-autocomplete > ul": { fontFamily: "var(--font-mono)", fontSize: "12.5px", padding: "4px" },
	".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "2px 8px", borderRadius: "var(--radius-small)" },
	".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": {
		color: "var(--color-text)",
		backgroundColor: "var(--color-selected)",
	},
	".cm-panels": { color: "var(--color-text)", backgroundColor: "var(--color-raised)" },
	".cm-panels.cm-panels-top": { borderBottom: "1px solid var(--color-border)" },
	".cm-panel.cm-search": { padding: "8px 32px 8px 12px", fontFamily: "var(--font-sans)", fontSize: "13px" },
	".cm-panel.cm-search label": { color: "var(--color-text-muted)" },
	".cm-panel.cm-search [name=close]": { top: "8px", right: "10px", fontSize: "18px", color: "var(--color-text-muted)" },
	".cm-textfield": {
		color: "var(--color-text)",
		backgroundColor: "var(--color-surface)",
		border: "1px solid var(--color-border-control)",
		borderRadius: "var(--radius-small)",
		padding: "3px 8px",
		fontSize: "13px",
	},
	".cm-button": {
		color: "var(--color-text)",
		backgroundColor: "var(--color-surface)",
		backgroundImage: "none",
		border: "1px solid var(--color-border-strong)",
		borderRadius: "var(--radius-small)",
		padding: "3px 10px",
		fontSize: "13px",
	},
	// Names of other people stay readable above their cursors.
	".cm-ySelectionInfo": {
		opacity: "1 !important",
		fontFamily: "var(--font-sans) !important",
		fontSize: "10.5px !important",
		fontWeight: "600 !important",
		padding: "0 4px !important",
		borderRadius: "3px 3px 3px 0",
		top: "-1.35em !important",
		lineHeight: "1.4 !important",
		pointerEvents: "none",
	},
	".cm-ySelectionCaretDot": { display: "none" },
});

const highlight = HighlightStyle.define([
	{ tag: [tags.keyword, tags.modifier, tags.self, tags.null, tags.bool], color: "var(--color-syntax-keyword)" },
	{ tag: [tags.string, tags.regexp, tags.special(tags.string)], color: "var(--color-syntax-string)" },
	{ tag: [tags.number, tags.literal, tags.escape, tags.atom], color: "var(--color-syntax-number)" },
	{ tag: [tags.comment, tags.meta], color: "var(--color-syntax-comment)", fontStyle: "italic" },
	{
		tag: [tags.function(tags.variableName), tags.function(tags.propertyName), tags.macroName],
		color: "var(--color-syntax-function)",
	},
	{ tag: [tags.typeName, tags.className, tags.namespace, tags.tagName], color: "var(--color-syntax-type)" },
	{ tag: [tags.propertyName, tags.attributeName, tags.labelName], color: "var(--color-syntax-property)" },
	{ tag: [tags.variableName, tags.definition(tags.variableName)], color: "var(--color-syntax-variable)" },
	{ tag: [tags.operator, tags.punctuation, tags.bracket], color: "var(--color-syntax-operator)" },
	{ tag: tags.invalid, color: "var(--color-syntax-invalid)" },
	{ tag: tags.heading, color: "var(--color-syntax-function)", fontWeight: "650" },
	{ tag: tags.strong, fontWeight: "650" },
	{ tag: tags.emphasis, fontStyle: "italic" },
	{ tag: [tags.link, tags.url], color: "var(--color-syntax-function)", textDecoration: "underline" },
	{ tag: tags.strikethrough, textDecoration: "line-through" },
]);

/** The editor's look, all of it from the page's tokens: it follows the theme by itself. */
export const editorTheme: Extension = [frame, syntaxHighlighting(highlight)];
