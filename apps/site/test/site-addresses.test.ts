import { mostSiteAddresses } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { followSiteAddresses } from "../src/control/site-addresses.ts";
import { databaseHost } from "../src/store/database.ts";
import { eventually } from "./support/eventually.ts";
import { dialIn } from "./support/fake-node.ts";
import { createWorld, type World } from "./support/site.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const log = createLog("test", "silent");
let world: World;

beforeAll(async () => {
	world = await createWorld();
});
afterAll(() => world.stop());

test("a node is told where the site is, and nothing of one on the node's own machine or of a unix socket", async () => {
	const far = await world.startInstance({ REPLDOCK_SITE_URL: "http://198.18.7.7:8080" });
	const near = await world.startInstance();
	const [one, two] = [await dialIn(world, far, "one"), await dialIn(world, near, "two")];
	expect(one.welcome.siteAddresses).toEqual(["198.18.7.7"]);
	expect(two.welcome.siteAddresses).toEqual([]);
	await Promise.all([one.close(), two.close()]);
});

test("the database's host is the one that connections are made to", () => {
	expect(databaseHost({ connectionString: "postgres://ada:secret@db.test:5433/site" })).toBe("db.test");
	expect(databaseHost({ connectionString: "postgres://ada@198.18.1.1/site?sslmode=disable" })).toBe("198.18.1.1");
	expect(databaseHost({ connectionString: "postgres://ada@/site?host=/run/postgres" })).toBeNull();
	expect(databaseHost({ host: "/run/postgres", database: "site", user: "ada" })).toBeNull();
});

test("addresses are looked up anew, what cannot be looked up stays, and there is a most", async () => {
	const answers = new Map<string, string[]>([
		["site.test", ["198.18.1.1"]],
		["db.test", ["198.18.2.1", "127.0.0.1"]],
	]);
	const lookUp = async (host: string) => answers.get(host) ?? Promise.reject(new Error("unknown"));
	const addresses = followSiteAddresses({ hosts: ["site.test", "db.test", null], lookUp, everyMs: 20, log });
	let changes = 0;
	await addresses.first;
	addresses.onChange(() => {
		changes += 1;
	});
	expect(addresses.present()).toEqual(["198.18.1.1", "198.18.2.1"]);
	answers.delete("site.test");
	answers.set("db.test", ["198.18.2.2"]);
	await eventually(async () => expect(addresses.present()).toEqual(["198.18.1.1", "198.18.2.2"]));
	expect(changes).toBe(1);
	answers.set(
		"db.test",
		Array.from({ length: 200 }, (_, index) => `198.18.3.${index}`),
	);
	await eventually(async () => expect(addresses.present()).toHaveLength(mostSiteAddresses));
	addresses.close();
});

test("a name server that never answers does not keep the site from starting", async () => {
	vi.useFakeTimers();
	const addresses = followSiteAddresses({ hosts: ["site.test"], lookUp: () => new Promise(() => undefined), log });
	await vi.advanceTimersByTimeAsync(5_000);
	await addresses.first;
	expect(addresses.present()).toEqual([]);
	addresses.close();
	vi.useRealTimers();
});
