import { createServer } from "node:net";
import type { Settings } from "../settings.ts";

/** Whether a program can listen on this TCP port of all addresses. */
export function portIsFree(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const server = createServer();
		server.once("error", () => resolve(false));
		server.listen(port, "0.0.0.0", () => server.close(() => resolve(true)));
	});
}

/** Before NGINX tries: something else that answers there would look as if it were NGINX. @throws Error for people. */
export async function assertPortsFree({ httpPort, environment }: Settings): Promise<void> {
	const httpsPort = Number(environment.REPLDOCK_HTTPS_PORT);
	for (const [port, option] of [
		[httpPort, "--http-port"],
		[httpsPort, "REPLDOCK_HTTPS_PORT"],
	] as const) {
		if (!port || (await portIsFree(port))) continue;
		throw new Error(
			`Another program listens on port ${port}. Choose another one with ${option}, or stop that program.`,
		);
	}
}
