import { startTestInstance, stopTestInstance, type TestInstance } from "../../tests/support/instance.ts";
import { SiteClient } from "../../tests/support/site-client.ts";

/** The administrator of a bench's instance. */
export const person = { name: "Bench", email: "bench@example.org", password: "correct horse battery" };

/** A throw-away instance with a signed-in administrator, taken down whatever happens. */
export async function withInstance(
	work: (instance: TestInstance, site: SiteClient) => Promise<void>,
	environment: Record<string, string> = {},
): Promise<void> {
	const instance = await startTestInstance(environment);
	try {
		const client = await SiteClient.welcome(instance, person);
		await work(instance, new SiteClient(instance.siteUrl, { token: await client.createToken("bench") }));
	} finally {
		await stopTestInstance(instance);
	}
}
