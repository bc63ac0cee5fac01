/** What the toolchain image promises to a project, and that every template keeps what `expectations.json` says of it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Template } from "@repldock/protocol";
import { parse as parseToml } from "smol-toml";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { startTestEngine, type TestEngine } from "./engine.ts";
import { createTestProject, type TestProject } from "./project.ts";

const templatesFolder = join(import.meta.dirname, "../../../templates");

vi.setConfig({ testTimeout: 120_000 });

let engine: TestEngine;
let project: TestProject;

beforeAll(async () => {
	engine = await startTestEngine();
	project = await createTestProject(engine, join(import.meta.dirname, "packages"));
}, 900_000);

afterAll(async () => {
	await project?.remove();
	await engine?.stop();
}, 60_000);

const languages: [name: string, shellLine: string, output: RegExp][] = [
	["Python", "python --version && python3 --version", /Python 3\.11/],
	["Node for projects", "node --version", /^v(2[4-9]|[3-9]\d)\./],
	["npm and npx", "npm --version && npx --version", /^\d+\.\d+\.\d+\n\d+\.\d+\.\d+\n$/],
	["TypeScript", "tsc --version", /^Version \d/],
	["C", "gcc --version", /gcc .* 12/],
	["C++", "g++ --version", /g\+\+ .* 12/],
	["make, cmake and gdb", "make --version && cmake --version && gdb --version", /GNU Make[\s\S]*cmake[\s\S]*GNU gdb/],
	["Go", "go version", /go1\.19/],
	["Rust", "rustc --version && cargo --version", /rustc 1\.63[\s\S]*cargo/],
	["Java", "java --version && javac --version", /openjdk 17[\s\S]*javac 17/],
	["Ruby", "ruby --version && bundle --version", /ruby 3\.1[\s\S]*Bundler/],
	["PHP", "php --version && composer --version", /PHP 8\.2[\s\S]*Composer/],
	["PHP's extensions", "php -m", /curl[\s\S]*mbstring[\s\S]*pdo_sqlite/],
	["Lua", "lua -v", /Lua 5\.4/],
	["Perl", "perl --version", /perl 5/],
	["SQLite", "sqlite3 --version", /^3\./],
	["editors and tools", "which vim nano htop less curl wget jq rg unzip zip git tmux dtach tini ps", /(\/\S+\n){15}/],
	["language servers", "which clangd gopls pylsp", /(\/\S+\n){3}/],
];

test.each(languages)("%s is there", async (_name, shellLine, output) => {
	expect(await project.run(shellLine)).toMatch(output);
});

describe("imports work with no install", () => {
	test("in Python", async () => {
		const output = await project.run(
			"python3 -c 'import numpy, pandas, flask, requests, pytest; print(numpy.ones(3).sum())'",
		);
		expect(output).toBe("3.0\n");
	});
	test("in Node by require", async () => {
		const script = 'console.log(typeof require("express"), typeof require("ws").WebSocketServer)';
		expect(await project.run(`node -e '${script}'`)).toBe("function function\n");
	});
	test("in Node by import, from any folder", async () => {
		const script = 'import express from "express"; import { WebSocketServer } from "ws"; console.log(typeof express)';
		expect(await project.run(`mkdir -p a/b && echo '${script}' >a/b/c.mjs && node a/b/c.mjs`)).toBe("function\n");
		expect(await project.run(`cp a/b/c.mjs /tmp && cd / && node /tmp/c.mjs`)).toBe("function\n");
	});
	test("in TypeScript, with their types", async () => {
		const script = 'import express from "express"; const app: express.Express = express(); export default app;';
		await project.run(
			`mkdir -p types && echo '${script}' >types/a.mts && cd types && tsc --noEmit --module nodenext a.mts`,
		);
	});
});

describe("what is installed lands in the project's folder", () => {
	const wheel = "pip wheel --quiet --no-index --no-build-isolation --wheel-dir /tmp/wheels ./python";
	const showModule = "-c 'import smoke_greeting as m; print(m.__file__, m.TEXT)'";

	test("by pip", async () => {
		await project.run(`${wheel} && pip install --no-index /tmp/wheels/*.whl`);
		expect(await project.run(`python3 ${showModule}`)).toBe(
			`${project.home}/.pythonlibs/lib/python3.11/site-packages/smoke_greeting.py hello from a Python package\n`,
		);
	});
	test("by pip in a virtual environment, and only there", async () => {
		await project.run(
			`python3 -m venv venv && ${wheel} && venv/bin/pip install --no-index --force-reinstall /tmp/wheels/*.whl`,
		);
		expect(await project.run(`venv/bin/python ${showModule}`)).toContain(`${project.home}/venv/lib/`);
	});
	test("by npm, also in a folder without package.json", async () => {
		await project.run("mkdir -p plain && cd plain && npm install --offline ../node");
		expect(await project.run(`cd plain && node -p 'require("smoke-greeting")' && ls`)).toBe(
			"hello from a Node package\nnode_modules\npackage-lock.json\npackage.json\n",
		);
	});
	test("by npm --global", async () => {
		await project.run("npm install --global --offline ./node");
		expect(await project.run("ls .npm-global/lib/node_modules")).toBe("smoke-greeting\n");
	});
	test("by go", async () => {
		await project.run("cd go && go install .");
		expect(await project.run("which smokegreeting && smokegreeting")).toBe(
			`${project.home}/.go/bin/smokegreeting\nhello from a Go program\n`,
		);
	});
	test("by cargo", async () => {
		await project.run(
			"cargo init --quiet --vcs none --name smoke-greeting rust && cargo install --quiet --offline --path rust",
		);
		expect(await project.run("which smoke-greeting && smoke-greeting")).toBe(
			`${project.home}/.cargo/bin/smoke-greeting\nHello, world!\n`,
		);
	});
	test("by gem", async () => {
		await project.run(
			"cd ruby && gem build --quiet smoke_greeting.gemspec && gem install --quiet --local smoke_greeting-1.0.0.gem",
		);
		expect(await project.run(`ruby -e 'require "smoke_greeting"; puts SMOKE_GREETING' && ls .gem/gems`)).toBe(
			"hello from a gem\nsmoke_greeting-1.0.0\n",
		);
	});
});

test.each(["apt install cowsay", "apt-get update", "sudo ls"])(
	"`%s` says why not and what to do instead",
	async (shellLine) => {
		expect(await project.run(`${shellLine}; echo "exit code $?"`)).toMatch(
			/^[^\n]*ask your operator[^\n]*\nexit code 1\n$/,
		);
		expect(await project.run(`${shellLine} 2>/dev/null || true`)).toBe("");
	},
);

test("programs run as runner, with its home and shell", async () => {
	expect(await project.run("getent passwd $(id -u)")).toMatch(
		/^runner:x:1000:1000:[^:]*:\/home\/runner:\/bin\/bash\n$/,
	);
});

test("only the project's folder and /tmp can be written", async () => {
	const probe =
		"for d in / /usr /usr/local/lib/node_modules /var/tmp /home/runner /etc /tmp .; do test -w $d && echo $d; done; true";
	expect(await project.run(probe)).toBe("/tmp\n.\n");
});

test("the image holds no file that gives its caller other rights", async () => {
	expect(await project.run("find / -xdev -perm /6000 2>/dev/null; true")).toBe("");
	const listFileCapabilities = `
		import os
		for folder, _, names in os.walk("/usr"):
			for path in (os.path.join(folder, name) for name in names):
				if "security.capability" in os.listxattr(path, follow_symlinks=False):
					print(path)`;
	expect(await project.run(`python3 -c '${listFileCapabilities.replaceAll("\n\t\t", "\n")}'`)).toBe("");
});

test("the image holds nothing of the machine that built it", async () => {
	expect(
		await project.run("cat /etc/machine-id /etc/apt/sources.list; ls -A /etc/apt/sources.list.d /var/lib/apt/lists"),
	).toBe("/etc/apt/sources.list.d:\n\n/var/lib/apt/lists:\n");
});

test("the prompt shows the project and the folder in it", async () => {
	const prompt = `cd a && bash -ic 'echo "\${PS1@P}"' 2>/dev/null | sed 's/\\x1b[^m]*m//g; s/[\\x01\\x02]//g'`;
	expect(await project.run(`mkdir -p a && ${prompt}`)).toContain("~/demo/a$ ");
});

const expectationsSchema = z.record(
	z.string(),
	z.object({
		output: z.string().optional(),
		stdin: z.string().optional(),
		http: z.object({ path: z.string(), contains: z.string() }).optional(),
		websocket: z.object({ path: z.string(), send: z.string(), expect: z.string() }).optional(),
	}),
);
const replitSchema = z.object({
	run: z.string(),
	compile: z.string().default("true"),
	entrypoint: z.string(),
	ports: z.array(z.object({ localPort: z.int(), externalPort: z.literal(80) })).default([]),
});

const readTemplatesFile = (name: string): string => readFileSync(join(templatesFolder, name), "utf8");
const templates = z.array(Template).parse(JSON.parse(readTemplatesFile("index.json")));
const expectations = expectationsSchema.parse(JSON.parse(readTemplatesFile("expectations.json")));

test("every template has an expectation", () => {
	expect(Object.keys(expectations).sort()).toEqual(templates.map(({ id }) => id).sort());
});

describe.each(templates)("template $id", ({ id, entrypoint, kind }) => {
	const replit = replitSchema.parse(parseToml(readTemplatesFile(join(id, ".replit"))));
	const { output, stdin = "", http, websocket } = expectations[id] ?? {};
	const port = replit.ports[0]?.localPort;

	test("names the file to open, and a port if it is for the web", () => {
		expect(replit.entrypoint).toBe(entrypoint);
		expect(readTemplatesFile(join(id, entrypoint))).not.toBe("");
		expect(port !== undefined).toBe(kind === "web");
	});

	test("does what is expected of it", async () => {
		const copy = await createTestProject(engine, join(templatesFolder, id));
		try {
			if (output !== undefined) {
				const command = `printf %s '${stdin}' | (${replit.compile} && ${replit.run}\n)`;
				expect(await copy.run(command)).toMatch(new RegExp(output));
			}
			if (http || websocket) {
				await copy.start(`(${replit.compile} && PORT=${port} ${replit.run}) >/tmp/log 2>&1`);
			}
			if (http) {
				const request = `curl --silent --show-error --fail --retry 50 --retry-delay 1 --retry-connrefused`;
				const page = await copy.run(`${request} http://127.0.0.1:${port}${http.path} || cat /tmp/log`);
				expect(page).toContain(http.contains);
			}
			if (websocket) {
				const script = `
					const socket = new WebSocket("ws://127.0.0.1:${port}${websocket.path}");
					socket.onopen = () => socket.send(${JSON.stringify(websocket.send)});
					socket.onmessage = (event) => {
						if (event.data.includes(${JSON.stringify(websocket.expect)})) process.exit(0);
					};
					socket.onclose = () => process.exit(1);`;
				await copy.run(`timeout 10 node -e '${script}'`);
			}
		} finally {
			await copy.remove();
		}
	});
});
