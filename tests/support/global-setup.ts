import type { TestProject } from "vitest/node";
import { freePort, startTestInstance, stopTestInstance, type TestInstance } from "./instance.ts";
import { startNameServer } from "./name-server.ts";
import { SiteClient } from "./site-client.ts";

declare module "vitest" {
	interface ProvidedContext {
		instance: TestInstance;
		/** Where it speaks TLS too, with certificates of an authority of its own. */
		httpsPort: number;
		/** Personal token of the administrator that the operator's link made. */
		token: string;
		administrator: { email: string; password: string };
	}
}

/** One instance for all tests of the group: starting one takes longer than most of the tests. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
	const nameServer = await startNameServer();
	const httpsPort = await freePort();
	const instance = await startTestInstance({
		REPLDOCK_DNS_SERVERS: nameServer.address,
		REPLDOCK_TLS: "local",
		REPLDOCK_HTTPS_PORT: String(httpsPort),
	});
	try {
		const administrator = { email: "ada@example.org", password: "correct horse battery" };
		const client = await SiteClient.welcome(instance, { name: "Ada", ...administrator });
		project.provide("instance", instance);
		project.provide("httpsPort", httpsPort);
		project.provide("administrator", administrator);
		project.provide("token", await client.createToken("tests"));
	} catch (error) {
		await stopTestInstance(instance);
		nameServer.close();
		throw error;
	}
	return async () => {
		await stopTestInstance(instance);
		nameServer.close();
	};
}
