import { asFile, quote, quoteAll } from "./shell.ts";

/** How a file of a language is run, and which files are looked for when nothing else says what to run. */
export interface Language {
	/** Names in `language` and, before the version, in `modules`. */
	names: readonly string[];
	extensions: readonly string[];
	defaultFiles: readonly string[];
	/** The shell text that runs the file; `has` tells which files there are. */
	run(file: string, has: (path: string) => boolean): string;
	/** The port on which it answers, for languages that are shown instead of run. */
	port?: number;
}

/** Where a single file's compiled program goes; hidden in the templates that compile. */
const buildDirectory = ".build";
const program = `${buildDirectory}/program`;
const staticPort = 8080;

const interpreted = (interpreter: string) => (file: string) => quoteAll([interpreter, asFile(file)]);

const compiled = (compiler: readonly string[], libraries: readonly string[]) => (file: string) =>
	`mkdir -p ${buildDirectory} && ${quoteAll([...compiler, "-o", program, asFile(file), ...libraries])} && exec ./${program}`;

const directoryOf = (file: string) => (file.includes("/") ? file.slice(0, file.lastIndexOf("/")) : ".");

export const languages: readonly Language[] = [
	{
		names: ["python", "python3"],
		extensions: ["py"],
		defaultFiles: ["main.py", "app.py", "run.py"],
		run: interpreted("python3"),
	},
	{
		names: ["nodejs", "javascript", "node"],
		extensions: ["js", "mjs", "cjs"],
		defaultFiles: ["index.js", "main.js", "index.mjs", "main.mjs"],
		run: interpreted("node"),
	},
	{
		names: ["typescript", "nodejs", "bun", "deno"],
		extensions: ["ts", "mts", "cts"],
		defaultFiles: ["index.ts", "main.ts"],
		run: interpreted("node"),
	},
	{
		names: ["c"],
		extensions: ["c"],
		defaultFiles: ["main.c"],
		run: compiled(["gcc", "-g", "-Wall"], ["-lm"]),
	},
	{
		names: ["cpp", "c++"],
		extensions: ["cpp", "cc", "cxx"],
		defaultFiles: ["main.cpp", "main.cc"],
		run: compiled(["g++", "-std=c++20", "-g", "-Wall"], []),
	},
	{
		names: ["go"],
		extensions: ["go"],
		defaultFiles: ["main.go"],
		// With a module, the other files of its folder belong to the program.
		run: (file, has) => (has("go.mod") && !file.includes("/") ? "go run ." : quoteAll(["go", "run", asFile(file)])),
	},
	{
		names: ["rust"],
		extensions: ["rs"],
		defaultFiles: ["src/main.rs", "main.rs"],
		run: (file, has) =>
			has("Cargo.toml") && file === "src/main.rs"
				? "cargo run --quiet"
				: compiled(["rustc", "-g", "--edition=2021"], [])(file),
	},
	{
		names: ["java"],
		extensions: ["java"],
		defaultFiles: ["Main.java", "src/Main.java"],
		run: interpreted("java"),
	},
	{
		names: ["ruby"],
		extensions: ["rb"],
		defaultFiles: ["main.rb", "app.rb"],
		run: interpreted("ruby"),
	},
	{
		names: ["php", "php-cli"],
		extensions: ["php"],
		defaultFiles: ["main.php", "index.php"],
		run: interpreted("php"),
	},
	{
		names: ["lua"],
		extensions: ["lua"],
		defaultFiles: ["main.lua"],
		run: interpreted("lua"),
	},
	{
		names: ["perl"],
		extensions: ["pl"],
		defaultFiles: ["main.pl"],
		run: interpreted("perl"),
	},
	{
		names: ["bash", "sh", "shell"],
		extensions: ["sh", "bash"],
		defaultFiles: ["main.sh"],
		run: interpreted("bash"),
	},
	{
		names: ["sql", "sqlite"],
		extensions: ["sql"],
		defaultFiles: ["main.sql"],
		run: (file) => `sqlite3 -box < ${quote(asFile(file))}`,
	},
	{
		names: ["html", "web", "static"],
		extensions: ["html", "htm"],
		defaultFiles: ["index.html"],
		run: (file) =>
			quoteAll([
				...["python3", "-m", "http.server", String(staticPort), "--bind", "0.0.0.0"],
				...["--directory", asFile(directoryOf(file))],
			]),
		port: staticPort,
	},
];

/** By the file's extension. */
export function languageOfFile(file: string): Language | undefined {
	const extension = /\.([^./]+)$/.exec(file)?.[1]?.toLowerCase();
	return languages.find(({ extensions }) => extension !== undefined && extensions.includes(extension));
}

/** Those that `language` and `modules` name come first, then all others. */
export function languagesInOrder(language: string | null, modules: readonly string[]): readonly Language[] {
	const named = [language ?? "", ...modules.map((module) => module.toLowerCase().split(/[-:]/, 1)[0] ?? "")];
	const isNamed = ({ names }: Language) => names.some((name) => named.includes(name));
	return [...languages.filter(isNamed), ...languages.filter((candidate) => !isNamed(candidate))];
}
