import { join } from "node:path";
import { createCleanupStack, createLog, readConfig } from "@repldock/service";
import { readAccessSecret } from "../gateway/access.ts";
import { createEngine } from "../host/engine.ts";
import { createAccessControl } from "./access-control.ts";
import { createBrowserServer } from "./browser-server.ts";
import { type ControlServer, createControlServer } from "./control-server.ts";
import { listen, refuseSecond } from "./listen.ts";
import { holderOptions } from "./options.ts";
import { createPaces } from "./paces.ts";
import { createPtys } from "./ptys.ts";
import { reclaimPrograms } from "./reclaim.ts";

/** The holder's process: keeps the PTYs of runs and terminals, whatever becomes of the agent. */

const browserSocketMode = 0o660;
const browserSocketGroup = "repldock";
const controlSocketMode = 0o600;

const config = readConfig(holderOptions, process.env);
const log = createLog("holder", config.logLevel);
const cleanup = createCleanupStack(log);
const browserSocket = join(config.runDirectory, "holder.sock");
const controlSocket = join(config.runDirectory, "holder-control.sock");
const stopping = new AbortController();

for (const signal of ["SIGTERM", "SIGINT"] as const) {
	process.on(signal, () => {
		stopping.abort();
		cleanup.run().then(() => process.exit(0));
	});
}

const engine = createEngine({ socketPath: config.engineSocket, log });
const access = createAccessControl(await readAccessSecret(config.accessSecretFile));
// Before reclaiming: a second holder must not end the programs of the first.
await refuseSecond(controlSocket);
await reclaimPrograms(engine, log, stopping.signal);

let control: ControlServer | undefined;
const paces = createPaces((projectId) => control?.notifyWait(projectId));
const ptys = createPtys({ engine, log, paces, onChange: (projectId) => control?.notify(projectId) });
cleanup.push("programs", () => ptys.stopAll());
const browsers = createBrowserServer({ ptys, access, log });
cleanup.push("browser sockets", () => browsers.close());
control = createControlServer({ ptys, paces, access, browsers, log });
cleanup.push("control socket", () => control?.close());

await listen(browsers.server, browserSocket, browserSocketMode, browserSocketGroup);
await listen(control.server, controlSocket, controlSocketMode);
log.info({ runDirectory: config.runDirectory }, "the holder is ready");
