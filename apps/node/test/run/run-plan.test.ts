import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
	findEntrypoint,
	parseProjectFile,
	planBoot,
	planEnvironment,
	planPorts,
	planRun,
	programEnvironment,
	terminalCommand,
} from "../../src/workspace/run/index.ts";
import { asFile, parallel, quote, sequence } from "../../src/workspace/run/shell.ts";

function plan(text: string, files: readonly string[] = [], requestedFile?: string) {
	const { file } = parseProjectFile(text);
	return planRun({
		projectFile: file,
		has: (path) => files.includes(path),
		requestedFile,
		environment: { PATH: "/usr/bin", HOME: "/h" },
	});
}

/** What bash does with a script of ours. */
function bash(script: string): { output: string; exitCode: number } {
	try {
		return {
			output: execFileSync("/bin/bash", ["-c", script], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
			exitCode: 0,
		};
	} catch (error) {
		const { stdout, status } = error as { stdout: string; status: number };
		return { output: stdout, exitCode: status };
	}
}

const workflows = (button: string, ...entries: string[]) =>
	`[workflows]\nrunButton = "${button}"\n${entries.join("\n")}`;
const workflow = (name: string, mode: string, ...tasks: [string, string][]) =>
	`[[workflows.workflow]]\nname = "${name}"\nmode = "${mode}"\n${tasks.map(([task, args]) => `[[workflows.workflow.tasks]]\ntask = "${task}"\nargs = ${JSON.stringify(args)}`).join("\n")}`;

test("a text runs through the shell, a list as it stands", () => {
	expect(plan('run = "A=1 ./x; y & wait"').command).toEqual(["/bin/bash", "-c", "A=1 ./x; y & wait"]);
	expect(plan('run = ["node", "my file.js"]')).toMatchObject({
		command: ["node", "my file.js"],
		title: "node 'my file.js'",
		warnings: [],
	});
});

test("shell words inside a list are warned of", () => {
	const { command, warnings } = plan('run = ["make", "&&", "./x"]');
	expect(command).toEqual(["make", "&&", "./x"]);
	expect(warnings[0]).toContain('"&&" is passed to the program');
});

test("compile runs before run, and run only when it succeeded", () => {
	const both = (compile: string, run: string) => bash(String(plan(`compile = ${compile}\nrun = ${run}`).command[2]));
	expect(both('"echo one # comment"', '"echo two"').output).toBe("one\ntwo\n");
	expect(both('"exit 4"', '"echo two"')).toEqual({ output: "", exitCode: 4 });
	expect(both('["echo", "a b"]', '["echo", "&&", "it\'s"]').output).toBe("a b\n&& it's\n");
});

test("run's own variables come after those of the project", () => {
	expect(
		plan('[env]\nA = "1"\nB = "$A-${HOME}-$NONE."\n[run]\nargs = "x"\nenv = { A = "2", C = "$B" }').environment,
	).toEqual({
		A: "2",
		B: "1-/h-.",
		C: "1-/h-.",
	});
});

test("PATH is put before the old one, however it is written", () => {
	const path = (value: string) => planEnvironment([["PATH", value]], { PATH: "/usr/bin", V: "/v" }).PATH;
	expect(path("${V}/bin")).toBe("/v/bin:/usr/bin");
	expect(path("$V/bin:$PATH")).toBe("/v/bin:/usr/bin");
	expect(path("/a:${PATH}:/b")).toBe("/a:/usr/bin:/b");
	expect(path("$PATHS")).toBe(":/usr/bin");
});

test("variables that double each other stay bounded", () => {
	const doubling = Array.from({ length: 60 }, () => ["A", "$A$A"] as const);
	expect(Object.values(planEnvironment([["A", "xxxxxxxx"], ...doubling], {})).join("").length).toBeLessThan(200_000);
});

test("without run, the run button's workflow runs; sequential stops at the first failure", () => {
	const ok = plan(workflows("Go", workflow("Go", "sequential", ["shell.exec", "echo 1"], ["shell.exec", "echo 2"])));
	expect(bash(String(ok.command[2])).output).toBe("1\n2\n");
	expect(ok.title).toBe("Go");
	const bad = plan(workflows("Go", workflow("Go", "sequential", ["shell.exec", "exit 3"], ["shell.exec", "echo 2"])));
	expect(bash(String(bad.command[2]))).toEqual({ output: "", exitCode: 3 });
});

test("parallel tasks run side by side and end at the first failure", () => {
	const pipe = mkdtempSync(join(tmpdir(), "repldock-parallel-"));
	const wait = `until [ -e ${pipe}/ready ]; do sleep 0.01; done; echo seen`;
	expect(bash(parallel([wait, `touch ${pipe}/ready`])).output).toBe("seen\n");
	rmSync(pipe, { recursive: true });
	expect(bash(parallel(["exit 5", "exec sleep 1"])).exitCode).toBe(5);
	expect(bash(parallel(["true", "true", "true"])).exitCode).toBe(0);
});

test("workflows run workflows, but never themselves", () => {
	const nested = plan(
		workflows(
			"A",
			workflow("A", "sequential", ["workflow.run", "B"], ["shell.exec", "echo a"]),
			workflow("B", "sequential", ["shell.exec", "echo b"], ["workflow.run", "A"]),
		),
	);
	expect(bash(String(nested.command[2])).output).toBe("b\na\n");
	expect(nested.warnings).toEqual(['The workflow "A" runs itself; that step is left out.']);
});

test("workflows that multiply are cut", () => {
	const entries = Array.from({ length: 20 }, (_, i) =>
		workflow(
			`w${i}`,
			"parallel",
			...Array.from({ length: 9 }, () => ["workflow.run", `w${i + 1}`] as [string, string]),
		),
	);
	const { warnings } = plan(workflows("w0", ...entries, workflow("w20", "sequential", ["shell.exec", "x"])), [
		"main.py",
	]);
	expect(warnings[0]).toContain("more than 200 steps");
});

test("a run button that names no workflow warns and runs the default file", () => {
	const { command, warnings } = plan(workflows("Nope", workflow("Go", "sequential", ["shell.exec", "x"])), ["main.py"]);
	expect(command[2]).toBe("python3 main.py");
	expect(warnings).toEqual(['.replit has no workflow named "Nope", which its runButton asks for.']);
});

test("unknown tasks are named and left out", () => {
	const { command, warnings } = plan(
		workflows("Go", workflow("Go", "sequential", ["magic.do", "x"], ["shell.exec", "y"])),
	);
	expect(command[2]).toBe("y");
	expect(warnings[0]).toContain('"magic.do"');
});

test("installForAll installs what the project's files ask for", () => {
	const text = workflows("Go", workflow("Go", "sequential", ["packager.installForAll", ""]));
	expect(plan(text, ["package.json", "package-lock.json", "requirements.txt", "pyproject.toml"]).command[2]).toBe(
		sequence(["npm ci", "pip install -r requirements.txt"]),
	);
});

test("the expected port is the web view's before others", () => {
	const task = (port: number, extra = "") =>
		`[[workflows.workflow.tasks]]\ntask = "shell.exec"\nargs = "x"\nwaitForPort = ${port}\n${extra}`;
	const text = `[[workflows.workflow]]\nname = "A"\n${task(6379)}\n${task(5000, '[workflows.workflow.tasks.metadata]\noutputType = "webview"')}`;
	expect(plan(text)).toMatchObject({ expectedPort: 5000, webview: true });
});

test.each([
	["python3 main.py", ["main.py", "index.js"], ""],
	["python3 app.py", ["app.py", "run.py"], ""],
	["node index.js", ["index.js", "main.py"], 'language = "nodejs"'],
	["node index.ts", ["index.ts"], ""],
	["go run .", ["main.go", "go.mod"], ""],
	["go run main.go", ["main.go"], ""],
	["cargo run --quiet", ["src/main.rs", "Cargo.toml"], ""],
	["java Main.java", ["Main.java"], ""],
	["ruby main.rb", ["main.rb"], ""],
	["php main.php", ["main.php"], ""],
	["lua main.lua", ["main.lua"], ""],
	["perl main.pl", ["main.pl"], ""],
	["bash main.sh", ["main.sh"], ""],
	["sqlite3 -box < main.sql", ["main.sql"], ""],
	["mkdir -p .build && gcc -g -Wall -o .build/program main.c -lm && exec ./.build/program", ["main.c"], ""],
	["python3 -m http.server 8080 --bind 0.0.0.0 --directory .", ["index.html"], ""],
	["node src/start.mjs", ["src/start.mjs", "main.py"], 'entrypoint = "./src/start.mjs"'],
	["ruby main.rb", ["main.rb", "main.py"], 'modules = ["ruby-3.1:v2"]'],
])("without run or workflow, %s is run", (command, files, text) => {
	expect(plan(text, files).command[2]).toBe(command);
});

test("a static page is shown in the web view", () => {
	expect(plan("", ["index.html"])).toMatchObject({ expectedPort: 8080, webview: true, entrypoint: "index.html" });
});

test("when there is nothing to run, the sentence says what to do", () => {
	expect(() => plan("")).toThrow("Add a file such as main.py");
	expect(() => plan('entrypoint = "gone.py"')).toThrow(expect.objectContaining({ code: "nothing_to_run" }));
	expect(() => plan("", ["notes.txt"], "notes.txt")).toThrow(expect.objectContaining({ code: "nothing_to_run" }));
	expect(() => plan("", [], "gone.py")).toThrow(expect.objectContaining({ code: "file_not_found" }));
});

test("an entrypoint outside of the project is not followed", () => {
	expect(findEntrypoint(parseProjectFile('entrypoint = "../../etc/x.py"').file, () => true)).toBe("main.py");
	expect(plan('entrypoint = "/etc/x.py"', ["main.py"]).warnings[0]).toContain("is not there");
});

test("a requested file runs by its language whatever .replit says, and whatever it is called", () => {
	for (const file of ["my file.py", "-rf.py", "it's.py", 'a"b$(x)`y`.py', "new\nline.py", "é😀.py"]) {
		const { command } = plan('run = "other"', [file], file);
		const fake = String(command[2]).replace(/^python3/, "printf '%s|'");
		expect(bash(fake).output).toBe(`${asFile(file)}|`);
	}
});

test("quoting brings any text through the shell unchanged", () => {
	const directory = mkdtempSync(join(tmpdir(), "repldock-quote-"));
	const texts = fc.sample(
		fc.string({ unit: "binary", maxLength: 30 }).filter((text) => !text.includes("\0") && text.isWellFormed()),
		200,
	);
	const script = join(directory, "script");
	writeFileSync(script, texts.map((text) => `printf '%s\\0' ${quote(text)}`).join("\n"));
	const output = execFileSync("/bin/bash", [script], { encoding: "utf8" });
	rmSync(directory, { recursive: true });
	expect(output.split("\0").slice(0, -1)).toEqual(texts);
});

test("any file is planned or refused with a sentence", () => {
	const value = fc.oneof(fc.constantFrom('"x"', '["a", "b"]', "{ args = 'x' }", "5", '""'));
	const key = fc.constantFrom("run", "compile", "entrypoint", "language", "modules", "hidden", "onBoot");
	fc.assert(
		fc.property(
			fc.uniqueArray(fc.tuple(key, value), { selector: ([k]) => k }),
			fc.array(fc.constantFrom("main.py", "x")),
			(keys, files) => {
				try {
					const { command } = plan(keys.map(([k, v]) => `${k} = ${v}`).join("\n"), files);
					expect(command.length).toBeGreaterThan(0);
				} catch (error) {
					expect(error).toMatchObject({ code: "nothing_to_run" });
				}
			},
		),
	);
});

test("onBoot is a command of its own", () => {
	const { file } = parseProjectFile('onBoot = "./setup"\n[env]\nA = "1"');
	expect(planBoot(file, {})).toEqual({
		command: ["/bin/bash", "-c", "./setup"],
		environment: { A: "1" },
		title: "./setup",
	});
	expect(planBoot(parseProjectFile("").file, {})).toBeNull();
});

test("ports: listed ones by their external port, the web view first, hidden ones never", () => {
	const open = (...ports: number[]) => ports.map((port) => ({ port, loopbackOnly: false }));
	const listed = parseProjectFile(
		"[[ports]]\nlocalPort = 6379\n[[ports]]\nlocalPort = 3000\nexternalPort = 3000\n[[ports]]\nlocalPort = 5000\nexternalPort = 80",
	).file;
	expect(planPorts(listed, open(3000, 5000, 6379, 9000))).toMatchObject({ main: 5000, exposed: [3000, 5000, 9000] });
	expect(planPorts(listed, open(3000, 6379))).toMatchObject({ main: 3000, exposed: [3000] });
	const none = parseProjectFile("").file;
	expect(planPorts(none, [...open(22, 8080), { port: 3000, loopbackOnly: true }])).toMatchObject({
		main: 8080,
		exposed: [8080],
	});
	expect(planPorts(none, [])).toEqual({ main: null, exposed: [], visited: new Map() });
	const local = parseProjectFile("[[ports]]\nlocalPort = 3000\nexternalPort = 80\nexposeLocalhost = true").file;
	expect(planPorts(local, [{ port: 3000, loopbackOnly: true }])).toMatchObject({ main: 3000, exposed: [3000] });
	const redis = parseProjectFile(
		'[[ports]]\nlocalPort = 6379\nexternalPort = 80\n[[workflows.workflow]]\nname = "A"\n[workflows.workflow.metadata]\noutputType = "webview"\n[[workflows.workflow.tasks]]\ntask = "shell.exec"\nargs = "x"\nwaitForPort = 5000',
	).file;
	expect(planPorts(redis, open(5000, 6379)).main).toBe(5000);
});

test("ports: visitors use the numbers of .replit, and the ports' own ones where these mean no other", () => {
	const open = (...ports: number[]) => ports.map((port) => ({ port, loopbackOnly: false }));
	const visited = (text: string, ...ports: number[]) =>
		Object.fromEntries(planPorts(parseProjectFile(text).file, open(...ports)).visited);
	const mapped = "[[ports]]\nlocalPort = 5000\nexternalPort = 3000\n[[ports]]\nlocalPort = 8081\nexternalPort = 22\n";
	expect(visited(mapped, 5000)).toEqual({ 3000: 5000, 5000: 5000 });
	expect(visited(mapped, 3000, 5000)).toEqual({ 3000: 5000, 5000: 5000 });
	// What is mapped does not listen: the number is its own port's meanwhile.
	expect(visited(mapped, 3000, 22, 8081)).toEqual({ 3000: 3000, 8081: 8081 });
	expect(visited("[[ports]]\nlocalPort = 6379\n", 6379)).toEqual({});
	expect(visited("", 4000, 7000)).toEqual({ 4000: 4000, 7000: 7000 });
});

test("programs find the variables that they expect", () => {
	const { file } = parseProjectFile('modules = ["python-3.11"]\n[[ports]]\nlocalPort = 5000\nexternalPort = 80');
	const environment = programEnvironment({
		project: { id: "an-id", slug: "my-app", ownerName: "ada" },
		projectFile: file,
		appsDomain: "apps.example",
		preset: { HOME: "${REPL_HOME}", PATH: "${REPL_HOME}/bin:/usr/bin:${REPL_HOME}/x" },
	});
	expect(environment).toEqual({
		HOME: "/home/runner/my-app",
		PATH: "/home/runner/my-app/bin:/usr/bin:/home/runner/my-app/x",
		REPL_ID: "an-id",
		REPL_SLUG: "my-app",
		REPL_OWNER: "ada",
		REPL_LANGUAGE: "python",
		REPL_HOME: "/home/runner/my-app",
		REPLIT_DEV_DOMAIN: "my-app.apps.example",
		REPLIT_DOMAINS: "my-app.apps.example",
		PORT: "5000",
	});
});

test("a terminal is an interactive shell", () => {
	expect(terminalCommand()).toEqual(["/bin/bash"]);
});
