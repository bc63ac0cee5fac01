import { expect, test } from "vitest";
import { compileGlob, createHiddenFilter } from "../../src/ide/files/globs.ts";
import {
	ancestorsOf,
	isWithin,
	joinPath,
	parentOf,
	refuseName,
	showName,
	tabNames,
} from "../../src/ide/files/paths.ts";
import { describeDuration } from "../../src/ide/run/duration.ts";
import { describeExit } from "../../src/ide/run/exit.ts";
import { addressOf, enterAddress, mainPort, readAddress } from "../../src/ide/webview/addresses.ts";

test("paths are taken apart and put together", () => {
	expect(parentOf("a/b/c")).toBe("a/b");
	expect(parentOf("c")).toBe("");
	expect(joinPath("", "c")).toBe("c");
	expect(ancestorsOf("a/b/c")).toEqual(["a", "a/b"]);
	expect(isWithin("ab", "a")).toBe(false);
	expect(isWithin("a/b", "a")).toBe(true);
});

test("names are shown without characters that deceive or break the line", () => {
	expect(showName("a\nb")).toBe("a␊b");
	expect(showName("exe\u202etxt.py")).toBe("exe\ufffdtxt.py");
	expect(showName("🐙 größe.txt")).toBe("🐙 größe.txt");
});

test("names that cannot be are refused with a sentence", () => {
	expect(refuseName("main.py")).toBeNull();
	expect(refuseName("-rf")).toBeNull();
	expect(refuseName("src/new.py")).toBeNull();
	for (const name of ["", "  ", "..", "a/../b", "/a", "a//b", "x".repeat(256)]) expect(refuseName(name)).toMatch(/\.$/);
});

test("tabs of equal names are told apart by their folders", () => {
	expect(tabNames(["a/index.ts", "b/index.ts", "main.py"])).toEqual(["a/index.ts", "b/index.ts", "main.py"]);
	expect(tabNames(["src/a/x.py", "y.py"])).toEqual(["x.py", "y.py"]);
	expect(tabNames(["x.py", "a/x.py"])).toEqual(["x.py", "a/x.py"]);
});

test("hidden patterns fit as in .replit", () => {
	const hides = createHiddenFilter(["node_modules", "*.pyc", "build/**", "docs/{a,b}.md", "[abc].txt"]);
	for (const path of [
		"node_modules",
		"x/node_modules/y.js",
		"x/y.pyc",
		"build/out/a",
		"docs/b.md",
		"a.txt",
		".replit",
	]) {
		expect(hides(path), path).toBe(true);
	}
	for (const path of ["main.py", "my_node_modules", "docs/c.md", "d.txt", "build"])
		expect(hides(path), path).toBe(false);
});

test("patterns that make no sense, or could take for ever, hide nothing", () => {
	expect(compileGlob("")).toBeNull();
	expect(compileGlob("!keep")).toBeNull();
	expect(compileGlob("**/".repeat(40))).toBeNull();
	expect(() => createHiddenFilter(["[", "{a", "(", "\\"])("main.py")).not.toThrow();
});

test("addresses typed into the web view become paths of the app", () => {
	const app = "http://x.localhost:8080/";
	expect(readAddress("about?x=1", app)).toBe("/about?x=1");
	expect(readAddress("http://x.localhost:8080/a", app)).toBe("/a");
	expect(readAddress("https://elsewhere.test/b", app)).toBe("/b");
	expect(addressOf(app, "/a")).toBe("http://x.localhost:8080/a");
	expect(enterAddress(app, "/a b", "t+")).toBe("http://x.localhost:8080/_repldock/enter?token=t%2B&to=%2Fa+b");
});

test("the web view shows the main port, never one that listens only inside", () => {
	const inside = { port: 1, externals: [], url: null, main: true };
	const other = { port: 2, externals: [2], url: "http://x/", main: false };
	expect(mainPort([inside])).toBeNull();
	expect(mainPort([inside, other])).toBe(other);
	const main = { port: 3, externals: [3], url: "http://y/", main: true };
	expect(mainPort([other, main])).toBe(main);
});

test("how a program ended is told in one line", () => {
	const state = {
		ptyId: "console",
		kind: "console",
		title: "",
		running: false,
		startedAtMs: 0,
		exitCode: 0,
		runTimeMs: 3_240,
		note: null,
	} as const;
	expect(describeExit(state)).toEqual({ text: "Exit code 0 after 3.2 s", good: true });
	expect(describeExit({ ...state, exitCode: 137 })).toEqual({ text: "Killed, exit code 137 after 3.2 s", good: false });
	expect(describeExit({ ...state, running: true, exitCode: null })).toBeNull();
	expect(describeDuration(125_000)).toBe("2 min 5 s");
});
