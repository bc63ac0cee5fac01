import { afterAll, beforeAll, expect, test } from "vitest";
import { type ProjectRig, type Rig, startRig } from "./rig.ts";

let rig: Rig;

beforeAll(async () => {
	rig = await startRig();
});

afterAll(() => rig.release());

/** Stops the console; settles when all that it ran is gone, or cannot be ended. */
async function stop(project: ProjectRig): Promise<void> {
	await rig.client.stop({ projectId: project.id, ptyId: "console" });
}

test("a program that heeds TERM is not killed, and its state says that it was stopped", async () => {
	const project = await rig.project();
	const screen = await project.connect();
	await project.start("echo up; exec sleep 111");
	await screen.untilText("up");
	await stop(project);
	const { ptys } = await project.until(({ ptys }) => ptys[0]?.running === false);
	expect(ptys[0]).toMatchObject({ note: "Stopped.", exitCode: 143 });
	expect(await project.processes("\x091\0")).toEqual([]);
});

test("what ignores TERM, hides by setsid, forks twice, uses nohup or clears its environment is gone as well", async () => {
	const project = await rig.project();
	const screen = await project.connect();
	const perl = (code: string) => `perl -e 'use POSIX; ${code}; $SIG{TERM} = $SIG{HUP} = "IGNORE"; sleep 1 while 1'`;
	await project.start(`
		${perl("setsid")} deserter &
		${perl("fork and exit; setsid; fork and exit")} deserter
		(trap '' HUP TERM; exec env -i ${perl("1")} deserter) &
		trap '' TERM INT HUP
		sleep 0.3
		echo up
		while :; do sleep 0.1; done`);
	await screen.untilText("up");
	expect(await project.processes("\0deserter\0")).toHaveLength(3);
	await stop(project);
	expect(await project.processes("\0deserter\0")).toEqual([]);
	const { ptys } = await project.until(({ ptys }) => ptys[0]?.running === false);
	expect(ptys[0]?.note).toBe("Stopped.");
});

test("a fork bomb under the pids limit can be stopped, and the project runs again afterwards", async () => {
	const project = await rig.project();
	const screen = await project.connect();
	await project.start(`echo up; exec perl -e '$SIG{TERM} = "IGNORE"; $SIG{CHLD} = "IGNORE"; while (1) { fork }' bomb`);
	await screen.untilText("up");
	for (let count = 0; count < 40; count = (await project.processes("bomb")).length);
	await stop(project);
	expect(await project.processes("bomb")).toEqual([]);
	await project.start("echo alive");
	await screen.untilText("alive");
});

test("what a finished run left in the background is ended with it, so that its ports are free", async () => {
	const project = await rig.project();
	await project.start("(trap '' HUP; exec -a leftover sleep 222) & sleep 0.2; exit 0");
	await project.until(({ ptys }) => ptys[0]?.running === false && ptys[0].exitCode === 0);
	expect(await project.processes("leftover")).toEqual([]);
});

test("stopping one PTY leaves the others alone", async () => {
	const project = await rig.project();
	await project.start("", { ptyId: "t1", kind: "terminal", command: ["sleep", "333"] });
	await project.start("exec sleep 444");
	await stop(project);
	expect(await project.processes("444")).toEqual([]);
	expect(await project.processes("333")).toHaveLength(1);
	await rig.client.remove({ projectId: project.id, ptyId: "t1" });
	expect(await project.processes("333")).toEqual([]);
});

test("a stop right after a start ends the program, and stopping nothing is harmless", async () => {
	const project = await rig.project();
	const started = project.start("exec sleep 555");
	await stop(project);
	await started;
	await stop(project);
	expect(await project.processes("555")).toEqual([]);
});
