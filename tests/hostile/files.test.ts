import { expect, test } from "vitest";
import { eventually } from "../support/wait.ts";
import { openProject } from "../support/world.ts";

test("links, dots and devices never lead out of the project", async () => {
	const { workspace } = await openProject("bash");
	await workspace.write(".replit", 'run = "bash make.sh"\n');
	await workspace.write(
		"make.sh",
		"ln -s /etc/passwd passwd; ln -s / root; ln -s ../../.. up; mkfifo pipe; ln -s loop loop; ln -s /proc/self/environ environ; echo made\n",
	);
	expect((await workspace.runToEnd()).output).toContain("made");
	for (const path of [
		"passwd",
		"root/etc/passwd",
		"up/etc/passwd",
		"pipe",
		"loop",
		"environ",
		"../secrets",
		"/etc/passwd",
		"a/../../b",
	]) {
		await expect(workspace.read(path), path).rejects.toMatchObject({ status: expect.any(Number) as number });
	}
	for (const path of ["root/tmp/planted", "up/planted", "passwd"]) {
		await workspace.write(path, "planted").catch(() => undefined);
	}
	const listed = (await workspace.list()).entries;
	expect(listed.find(({ name }) => name === "pipe")?.kind).toBe("other");
	await workspace.remove("root");
	await workspace.remove("up");
	expect((await workspace.list()).entries.map(({ name }) => name)).not.toContain("root");
});

test("names with spaces, emoji, newlines, quotes and dashes work like any other", async () => {
	const { workspace } = await openProject("bash");
	const names = [
		"two words.txt",
		"🦀.txt",
		"line\nbreak.txt",
		"-rf",
		"quote'\".txt",
		"$(touch owned).txt",
		"日本語.txt",
		"per%cent&amp;.txt",
	];
	for (const name of names) {
		await workspace.write(name, `content of ${name}`);
		expect(await workspace.read(name)).toBe(`content of ${name}`);
	}
	expect((await workspace.list()).entries.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
	for (const name of names) {
		await workspace.move(name, `moved ${name}`);
		await workspace.remove(`moved ${name}`);
	}
	await workspace.write("-rf.py", "print('ran', __file__)\n");
	const { output } = await workspace.runToEnd({ file: "-rf.py" });
	expect(output).toMatch(/ran .*-rf\.py/);
	expect((await workspace.list()).entries.map(({ name }) => name)).not.toContain("owned");
});

test("a 50 MB file and a binary file are kept out of the editor with a sentence, and can be downloaded whole", async () => {
	const { workspace } = await openProject("bash");
	const big = new Uint8Array(50_000_000).fill(97);
	await workspace.write("big.txt", big);
	await workspace.write("picture.bin", new Uint8Array([137, 80, 78, 71, 0, 1, 2, 255]));
	for (const path of ["big.txt", "picture.bin"]) workspace.send({ type: "openDocument", path });
	await eventually(
		"both refusals",
		() => workspace.received.filter(({ type }) => type === "documentRefused").length === 2,
	);
	const codes = workspace.received.flatMap((event) => (event.type === "documentRefused" ? event.problem.code : []));
	expect(codes.sort()).toEqual(["file_too_large", "not_text"]);
	expect(
		(await workspace.request("GET", "/files/content?path=big.txt").then((answer) => answer.arrayBuffer())).byteLength,
	).toBe(big.length);
});

test("huge and deep trees are listed, and removed without harm", async () => {
	const { workspace } = await openProject("bash");
	await workspace.write(".replit", 'run = "bash make.sh"\n');
	await workspace.write(
		"make.sh",
		'mkdir many && cd many && seq 1 20000 | xargs touch && cd .. && mkdir deep && cd deep && perl -e \'for (1 .. 3000) { mkdir "d"; chdir "d" }\' && echo made\n',
	);
	expect((await workspace.runToEnd()).output).toContain("made");
	expect((await workspace.list("many")).entries.length).toBeGreaterThan(1_000);
	await workspace.remove("many");
	await workspace.remove("deep");
	expect((await workspace.list()).entries.map(({ name }) => name)).not.toEqual(expect.arrayContaining(["many"]));
}, 120_000);
