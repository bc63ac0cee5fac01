import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { runCommand } from "@repldock/service";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../../../../tests/support/wait.ts";
import { ConversationError, createConversation } from "../../src/host/conversation.ts";
import { applyLines } from "../../src/host/nft.ts";
import { changeTrafficAtOnce } from "../../src/host/traffic-control.ts";

/** A shell stands for the program; it does not know the words that end an answer either. */
function shell(change: { program?: string; mostAnswers?: number; answerWithinMs?: number } = {}) {
	const conversation = createConversation({
		program: "/bin/sh",
		arguments: change.program === undefined ? [] : ["-c", change.program],
		complaint: (word) => new RegExp(`.*${word}: not found\\n`),
		...change,
		...(change.program === undefined ? {} : { program: "/bin/sh" }),
	});
	onTestFinished(conversation.renew);
	return conversation;
}

const ends = (pid: number) =>
	eventually("its end", () =>
		readFile(`/proc/${pid}/stat`, "utf8").then(
			(text) => text.includes(") Z"),
			() => true,
		),
	);

test("one program answers many callers, each with its own answer, and forgets between none of them", async () => {
	const conversation = shell();
	const answers = Array.from({ length: 20 }, (_, index) => conversation.say(`x=$((x + 1)); echo $x of ${index}`));
	expect(await Promise.all(answers)).toEqual(answers.map((_, index) => `${index + 1} of ${index}\n`));
	expect(await conversation.say("echo out; echo complaint >&2; echo out")).toBe("out\ncomplaint\nout\n");
	expect(await conversation.say("")).toBe("");
});

test("a program that is killed fails the one who waits, and the next one has a new program", async () => {
	const conversation = shell();
	await conversation.say("x=1");
	const pid = conversation.pid() ?? 0;
	const waiting = conversation.say("kill -9 $$");
	await expect(waiting).rejects.toThrow(ConversationError);
	expect(await conversation.say('echo "x is $x"')).toBe("x is \n");
	expect(conversation.pid()).not.toBe(pid);
	// Killed while nobody waits.
	const next = conversation.pid() ?? 0;
	process.kill(next, "SIGKILL");
	await ends(next);
	await eventually("the news of it", () => conversation.pid() === undefined);
	expect(await conversation.say("echo again")).toBe("again\n");
});

test("a program that falls silent is ended and told of", async () => {
	const conversation = shell({ answerWithinMs: 300 });
	await conversation.say("");
	const pid = conversation.pid() ?? 0;
	await expect(conversation.say("exec sleep 999")).rejects.toThrow("did not answer within 0.3 s");
	await ends(pid);
	expect(await conversation.say("echo again")).toBe("again\n");
});

test("a program that does not speak this way is tried once", async () => {
	const conversation = shell({ program: "exit 1" });
	await expect(conversation.say("echo")).rejects.toThrow(ConversationError);
	await expect(conversation.say("echo")).rejects.toThrow(ConversationError);
	expect(conversation.pid()).toBeUndefined();
});

test("a program is replaced after so many answers, and ends", async () => {
	const conversation = shell({ mostAnswers: 3 });
	await conversation.say("x=1");
	const pid = conversation.pid() ?? 0;
	await conversation.say("x=2");
	expect(await conversation.say('echo "x is $x"')).toBe("x is \n");
	await ends(pid);
});

test("tc goes on after a line that fails, tells of it, and knows devices that were made anew", async () => {
	const device = `rdq${randomBytes(3).toString("hex")}`;
	const make = () => runCommand("ip", ["link", "add", "name", device, "type", "ifb"]);
	await make();
	onTestFinished(async () => void (await runCommand("ip", ["link", "delete", "dev", device])));
	const tree = [
		`qdisc replace dev ${device} root handle 1: htb default 2`,
		`class add dev ${device} parent 1: classid 1:1 htb rate 1mbit`,
	];
	expect(await changeTrafficAtOnce(tree)).toBe("");
	const [again, other] = ["1", "3"].map(
		(minor) => `class add dev ${device} parent 1: classid 1:${minor} htb rate 1mbit`,
	);
	const error = await changeTrafficAtOnce([`class show dev ${device}`, again ?? "", other ?? ""]).catch(
		(e: unknown) => e,
	);
	expect(error).toMatchObject({ name: "CommandError", stderr: expect.stringMatching(/htb 1:1[\s\S]*File exists/) });
	expect(await changeTrafficAtOnce([`class show dev ${device}`])).toContain("htb 1:3");
	await runCommand("ip", ["link", "delete", "dev", device]);
	await make();
	// It takes the device for the one that is gone, fails, and is replaced.
	await changeTrafficAtOnce(tree).catch(() => undefined);
	expect(await changeTrafficAtOnce([`class show dev ${device}`])).toBe("");
	expect(await changeTrafficAtOnce(tree)).toBe("");
	expect(await runCommand("tc", ["class", "show", "dev", device])).toContain("htb 1:1");
});

test("nft applies all lines or none, in order, and writes no history of them", async () => {
	const table = `rdq${randomBytes(3).toString("hex")}`;
	await runCommand("nft", ["add", "table", "inet", table]);
	onTestFinished(async () => void (await runCommand("nft", ["delete", "table", "inet", table])));
	const add = (key: string) => `add element inet ${table} s { ${key} }`;
	const remove = (key: string) => `delete element inet ${table} s { ${key} }`;
	await applyLines([`add set inet ${table} s { type ipv4_addr ; }`]);
	await applyLines([add("198.18.0.1"), remove("198.18.0.1"), add("198.18.0.2")]);
	await expect(applyLines([add("198.18.0.3"), remove("198.18.0.4")])).rejects.toThrow("No such file");
	await expect(applyLines([add("198.18.0.3"), "nonsense"])).rejects.toThrow("syntax error");
	const many = Array.from({ length: 2_000 }, (_, index) => add(`198.19.${index >> 8}.${index & 255}`));
	await applyLines(many);
	const listed = await runCommand("nft", ["list", "set", "inet", table, "s"]);
	expect(listed).toContain("198.18.0.2");
	expect(listed).not.toMatch(/198\.18\.0\.[134]/);
	expect(listed.match(/198\.19\./g)).toHaveLength(2_000);
});
