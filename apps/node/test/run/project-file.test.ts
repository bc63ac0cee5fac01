import { RepldockError } from "@repldock/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { emptyProjectFile, parseProjectFile } from "../../src/workspace/run/index.ts";

const parsed = (text: string) => parseProjectFile(text).file;

test("an empty file means nothing and warns of nothing", () => {
	expect(parseProjectFile("")).toEqual({ file: emptyProjectFile, warnings: [] });
});

test("run is read in its three forms; blank means not set", () => {
	expect(parsed('run = "python3 main.py"').run).toEqual({ shell: "python3 main.py", environment: [] });
	expect(parsed('run = ["node", "index.js"]').run).toEqual({ arguments: ["node", "index.js"], environment: [] });
	expect(parsed('[run]\nargs = ["x"]\nenv = { A = "1", B = 2 }').run).toEqual({
		arguments: ["x"],
		environment: [
			["A", "1"],
			["B", "2"],
		],
	});
	expect(parsed('run = "  "').run).toBeNull();
	expect(parsed("run = []").run).toBeNull();
});

test("a file of a typical exported project is understood", () => {
	const { file, warnings } = parseProjectFile(`
entrypoint = "main.py"
modules = ["python-3.11", "nodejs-20:v8"]
hidden = [".venv", "**/__pycache__"]
onBoot = "echo hi"
audio = true
[nix]
channel = "stable-23_05"
[env]
VIRTUAL_ENV = "/home/runner/\${REPL_SLUG}/venv"
PATH = "\${VIRTUAL_ENV}/bin"
[userenv.shared]
SHARED = "yes"
[languages.python3]
pattern = "**/*.py"
[languages.python3.languageServer]
start = "pylsp"
[packager.features]
guessImports = false
[deployment]
run = ["sh", "-c", "x"]
publicDir = "dist"
[[ports]]
localPort = 5000
externalPort = 80
[[ports]]
localPort = 6379
exposeLocalhost = true
[workflows]
runButton = "Project"
[[workflows.workflow]]
name = "Project"
mode = "parallel"
author = "agent"
[[workflows.workflow.tasks]]
task = "workflow.run"
args = "Server"
[[workflows.workflow]]
name = "Server"
[workflows.workflow.metadata]
outputType = "webview"
[[workflows.workflow.tasks]]
task = "shell.exec"
args = "flask run"
waitForPort = 5000
`);
	expect(warnings).toEqual([]);
	expect(file).toMatchObject({
		entrypoint: "main.py",
		hidden: [".venv", "**/__pycache__"],
		onBoot: { shell: "echo hi" },
		publicDirectory: "dist",
		guessImports: false,
		runButton: "Project",
		languageServers: [{ name: "python3", pattern: "**/*.py", command: { shell: "pylsp" } }],
		ports: [
			{ localPort: 5000, externalPort: 80, exposeLocalhost: false },
			{ localPort: 6379, externalPort: null, exposeLocalhost: true },
		],
	});
	expect(file.environment.map(([name]) => name)).toEqual(["SHARED", "VIRTUAL_ENV", "PATH"]);
	expect(file.workflows[1]?.tasks).toEqual([
		{ task: "shell.exec", args: "flask run", waitForPort: 5000, webview: true },
	]);
});

test("wrong types are ignored with a sentence each, the rest is kept", () => {
	const { file, warnings } = parseProjectFile(
		'run = 5\nentrypoint = ["x"]\nhidden = "x"\nlanguage = "go"\nports = [{ localPort = 99999 }]',
	);
	expect(file).toMatchObject({ run: null, entrypoint: null, hidden: [], language: "go", ports: [] });
	expect(warnings).toHaveLength(4);
	expect(warnings[0]).toMatch(/`\w+` in \.replit is not/);
});

test("a name that cannot be a variable is ignored with a sentence", () => {
	const { file, warnings } = parseProjectFile('[env]\n"A=B" = "x"\n"__proto__" = "p"\nOK = "a\\u0000b"\nGOOD = "1"');
	expect(file.environment).toEqual([["GOOD", "1"]]);
	expect(warnings).toHaveLength(2);
});

test("what is not TOML is refused with line and column", () => {
	expect(() => parseProjectFile('run = "x"\nrun run')).toThrow(RepldockError);
	try {
		parseProjectFile('language = "x"\nrun = "unclosed');
	} catch (error) {
		expect(error).toMatchObject({ code: "invalid_project_file" });
		expect((error as Error).message).toMatch(
			/^\.replit is not valid at line 2, column \d+: .+\. Correct it and try again\.$/,
		);
	}
});

test("any text is either understood or refused as invalid_project_file", () => {
	const line = fc.constantFrom(
		...[
			'run = ["a"]',
			"run = 1",
			"[env]",
			"[run]",
			"[[ports]]",
			"localPort = 1",
			"[workflows]",
			"[[workflows.workflow]]",
		],
		...[
			"name = 'x'",
			"[[workflows.workflow.tasks]]",
			"task = 1",
			"args = {}",
			"modules = [1]",
			"[languages.x]",
			"PATH = 'x'",
		],
		...["[languages.x.languageServer]", "start = [[]]", "hidden = ['a', 1]", "build = true", "[userenv]", "shared = 1"],
	);
	const text = fc.oneof(
		fc.string({ unit: "binary", maxLength: 200 }),
		fc.array(fc.oneof(line, fc.string()), { maxLength: 12 }).map((lines) => lines.join("\n")),
	);
	fc.assert(
		fc.property(text, (content) => {
			try {
				const { warnings } = parseProjectFile(content);
				for (const warning of warnings) expect(warning).toMatch(/\.$/);
			} catch (error) {
				expect(error).toMatchObject({ code: "invalid_project_file" });
			}
		}),
		{ numRuns: 1000 },
	);
});
