import { join } from "node:path";
import { runCommand } from "@repldock/service";
import { inject } from "vitest";

const keptName = "repldock/kept:test";

/** Takes the image of all containers away from the group's instance: none can be made. @returns what brings it back; once. */
export async function removeToolchainImage(): Promise<() => Promise<void>> {
	const { data } = inject("instance");
	const engine = (command: readonly string[]) =>
		runCommand("docker", ["--host", `unix://${join(data, "run/docker.sock")}`, ...command]);
	const images = await engine(["images", "--format", "{{.Repository}}:{{.Tag}}", "repldock/toolchain"]);
	const [image = ""] = images.split("\n");
	await engine(["tag", image, keptName]);
	await engine(["rmi", image]);
	let removed = true;
	return async () => {
		if (!removed) return;
		removed = false;
		await engine(["tag", keptName, image]);
		await engine(["rmi", keptName]);
	};
}
