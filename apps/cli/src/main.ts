import { RepldockConfigError } from "@repldock/service";
import { backup } from "./commands/backup.ts";
import { bench } from "./commands/bench.ts";
import { doctor } from "./commands/doctor.ts";
import { down } from "./commands/down.ts";
import { Interrupted } from "./commands/interrupted.ts";
import { logs } from "./commands/logs.ts";
import { rebuildIndex } from "./commands/rebuild-index.ts";
import { restart } from "./commands/restart.ts";
import { restore } from "./commands/restore.ts";
import { status } from "./commands/status.ts";
import { test } from "./commands/test.ts";
import { supervise, up } from "./commands/up.ts";
import { readSettings, type Settings, UsageError } from "./settings.ts";
import { print, say } from "./text.ts";

const commands: Record<string, (settings: Settings) => Promise<number>> = {
	up,
	down,
	status,
	logs,
	restart,
	doctor,
	backup,
	restore,
	"rebuild-index": rebuildIndex,
	test,
	bench,
	supervise,
};

const usage = `Usage: ./repldock COMMAND [options]

  up                 install what is missing, start everything, print the address
  down               stop everything; nothing stays behind
  status             what runs
  logs [SERVICE]     the end of the logs (--follow to stay)
  restart SERVICE    restart one program: site, agent, holder, edge, engine, postgres
  doctor             what is missing or wrong on this machine, and what mends it
  backup             save accounts, projects and secrets to an object store (--to)
  restore            fill an empty data directory from a backup (--from)
  rebuild-index      add projects that the object store has and the database has not
  test [FILTER]      run the test suite
  test faults        rounds of kill -9, failing stores and the like, a million files (an hour or more)
  bench NAME [PART]  measure: run-latency, terminal, idle-memory, edge, egress, storage

Options
  --detach, -d       up: stay in the background
  --data DIR         where everything is kept (default /var/lib/repldock)
  --http-port N      the port that people visit (default 8080)
  --volumes-device D up: keep the projects' files on this block device, which has a btrfs file system
  --json             up, status, doctor, backup, rebuild-index, bench: for programs
  --to, --from URL   backup, restore: folder:/path or s3://bucket/prefix
  --keep NUMBER      backup: remove older ones, and objects that they alone need (default: keep all)
  --time TIME        restore: which backup (default the newest)
  --follow, -f       logs: go on as they grow

docs/CONFIGURATION.md lists the environment variables.`;

async function main(): Promise<number> {
	const settings = readSettings(process.argv.slice(2), process.env);
	const [word] = settings.words;
	if (!word || word === "help") {
		print(usage);
		return word ? 0 : 2;
	}
	const command = Object.hasOwn(commands, word) ? commands[word] : undefined;
	if (!command) throw new UsageError(`There is no command ${word}.`);
	return command(settings);
}

// Whoever reads has read enough, as `head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
	if (error.code !== "EPIPE") throw error;
	process.exit(0);
});

try {
	process.exitCode = await main();
} catch (error) {
	if (error instanceof UsageError) {
		say(`${error.message}\n\n${usage}`);
		process.exitCode = 2;
	} else if (error instanceof Interrupted) {
		say(error.message);
		process.exit(error.exitCode);
	} else if (error instanceof RepldockConfigError) {
		say(error.message);
		process.exitCode = 2;
	} else {
		say(error instanceof Error ? error.message : String(error));
		if (process.env.REPLDOCK_LOG_LEVEL === "debug" && error instanceof Error) say(error.stack);
		process.exitCode = 1;
	}
}
