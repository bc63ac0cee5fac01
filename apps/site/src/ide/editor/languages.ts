import type { LanguageSupport, StreamLanguage } from "@codemirror/language";

type Language = LanguageSupport | StreamLanguage<unknown>;

/** A language's mode, its comment signs included. Each is a chunk of its own, loaded when its first file is opened. */
const loaders = {
	python: async () => (await import("@codemirror/lang-python")).python(),
	javascript: async () => (await import("@codemirror/lang-javascript")).javascript({ jsx: true }),
	typescript: async () => (await import("@codemirror/lang-javascript")).javascript({ typescript: true }),
	tsx: async () => (await import("@codemirror/lang-javascript")).javascript({ jsx: true, typescript: true }),
	html: async () => (await import("@codemirror/lang-html")).html(),
	css: async () => (await import("@codemirror/lang-css")).css(),
	cpp: async () => (await import("@codemirror/lang-cpp")).cpp(),
	go: async () => (await import("@codemirror/lang-go")).go(),
	rust: async () => (await import("@codemirror/lang-rust")).rust(),
	java: async () => (await import("@codemirror/lang-java")).java(),
	php: async () => (await import("@codemirror/lang-php")).php(),
	json: async () => (await import("@codemirror/lang-json")).json(),
	markdown: async () => (await import("@codemirror/lang-markdown")).markdown(),
	sql: async () => (await import("@codemirror/lang-sql")).sql(),
	ruby: () => legacy(import("@codemirror/legacy-modes/mode/ruby"), "ruby"),
	lua: () => legacy(import("@codemirror/legacy-modes/mode/lua"), "lua"),
	perl: () => legacy(import("@codemirror/legacy-modes/mode/perl"), "perl"),
	shell: () => legacy(import("@codemirror/legacy-modes/mode/shell"), "shell"),
	toml: () => legacy(import("@codemirror/legacy-modes/mode/toml"), "toml"),
	yaml: () => legacy(import("@codemirror/legacy-modes/mode/yaml"), "yaml"),
	xml: () => legacy(import("@codemirror/legacy-modes/mode/xml"), "xml"),
	dockerfile: () => legacy(import("@codemirror/legacy-modes/mode/dockerfile"), "dockerFile"),
	properties: () => legacy(import("@codemirror/legacy-modes/mode/properties"), "properties"),
	diff: () => legacy(import("@codemirror/legacy-modes/mode/diff"), "diff"),
	swift: () => legacy(import("@codemirror/legacy-modes/mode/swift"), "swift"),
	haskell: () => legacy(import("@codemirror/legacy-modes/mode/haskell"), "haskell"),
	r: () => legacy(import("@codemirror/legacy-modes/mode/r"), "r"),
	clojure: () => legacy(import("@codemirror/legacy-modes/mode/clojure"), "clojure"),
	cmake: () => legacy(import("@codemirror/legacy-modes/mode/cmake"), "cmake"),
	csharp: () => legacy(import("@codemirror/legacy-modes/mode/clike"), "csharp"),
	kotlin: () => legacy(import("@codemirror/legacy-modes/mode/clike"), "kotlin"),
	dart: () => legacy(import("@codemirror/legacy-modes/mode/clike"), "dart"),
} satisfies Record<string, () => Promise<Language>>;

export type LanguageName = keyof typeof loaders;

const byExtension: Readonly<Record<string, LanguageName>> = {
	...each("python", "py pyi pyw"),
	...each("javascript", "js mjs cjs jsx"),
	...each("typescript", "ts mts cts"),
	...each("tsx", "tsx"),
	...each("html", "html htm svelte vue astro ejs"),
	...each("css", "css scss less"),
	...each("cpp", "c h cc cpp cxx hpp hh hxx ino"),
	...each("go", "go"),
	...each("rust", "rs"),
	...each("java", "java"),
	...each("php", "php"),
	...each("json", "json jsonc json5 webmanifest map"),
	...each("markdown", "md markdown mdx"),
	...each("sql", "sql"),
	...each("ruby", "rb rake gemspec ru"),
	...each("lua", "lua"),
	...each("perl", "pl pm t"),
	...each("shell", "sh bash zsh ksh"),
	...each("toml", "toml"),
	...each("yaml", "yaml yml"),
	...each("xml", "xml svg xsd xsl plist csproj"),
	...each("properties", "properties ini cfg conf env"),
	...each("diff", "diff patch"),
	...each("swift", "swift"),
	...each("haskell", "hs"),
	...each("r", "r"),
	...each("clojure", "clj cljs edn"),
	...each("cmake", "cmake"),
	...each("csharp", "cs"),
	...each("kotlin", "kt kts"),
	...each("dart", "dart"),
};

const byName: Readonly<Record<string, LanguageName>> = {
	".replit": "toml",
	"replit.nix": "properties",
	"cargo.lock": "toml",
	pipfile: "toml",
	"poetry.lock": "toml",
	dockerfile: "dockerfile",
	containerfile: "dockerfile",
	gemfile: "ruby",
	rakefile: "ruby",
	"cmakelists.txt": "cmake",
	".bashrc": "shell",
	".profile": "shell",
	".env": "properties",
	".prettierrc": "json",
	".babelrc": "json",
};

/** The language of a file by its name; null for plain text. */
export function languageOf(path: string): LanguageName | null {
	const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
	const extension = name.includes(".") ? name.slice(name.lastIndexOf(".") + 1) : "";
	return byName[name] ?? (Object.hasOwn(byExtension, extension) ? (byExtension[extension] ?? null) : null);
}

export function loadLanguage(name: LanguageName): Promise<Language> {
	return loaders[name]();
}

async function legacy<Name extends string>(chunk: Promise<Record<Name, unknown>>, name: Name): Promise<Language> {
	const [{ StreamLanguage }, modes] = await Promise.all([import("@codemirror/language"), chunk]);
	// The modes are typed by their own state, which nobody outside of them looks at.
	return StreamLanguage.define(modes[name] as Parameters<typeof StreamLanguage.define>[0]);
}

function each(name: LanguageName, extensions: string): Record<string, LanguageName> {
	return Object.fromEntries(extensions.split(" ").map((extension) => [extension, name]));
}
