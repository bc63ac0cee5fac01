/** Letters and colour of a language's tile; each colour carries white text (AA). */
const tiles: Record<string, readonly [letters: string, colour: string]> = {
	bash: ["$_", "#3c4a52"],
	c: ["C", "#4a62a8"],
	cpp: ["C++", "#0f5b9c"],
	css: ["{}", "#6b3fa0"],
	go: ["Go", "#0a7391"],
	html: ["</>", "#c0431f"],
	java: ["Jv", "#a8401f"],
	javascript: ["JS", "#806300"],
	lua: ["Lua", "#2f3f9e"],
	perl: ["Pl", "#37608c"],
	php: ["php", "#5a5f9e"],
	python: ["Py", "#2b6597"],
	ruby: ["Rb", "#b3261e"],
	rust: ["Rs", "#8a4b2a"],
	sql: ["SQL", "#0c6b5d"],
	sqlite: ["SQL", "#0c6b5d"],
	typescript: ["TS", "#2a63a8"],
};

export interface TemplateIconProps {
	language: string;
	/** Pixels. */
	size?: number;
}

/** A language's tile; decoration, its name stands beside it. */
export function TemplateIcon({ language, size = 36 }: TemplateIconProps) {
	const [letters, colour] = tiles[language] ?? [language.slice(0, 2), "#3c4a52"];
	const fontSize = letters.length > 2 ? 13 : 16;
	return (
		<svg className="template-icon" width={size} height={size} viewBox="0 0 40 40" aria-hidden="true">
			<rect width="40" height="40" rx="10" fill={colour} />
			<text x="20" y="20.5" fontSize={fontSize}>
				{letters}
			</text>
		</svg>
	);
}
