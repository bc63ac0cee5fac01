import type { NodeClient } from "../connection/node-client.ts";
import { baseName } from "./paths.ts";

/** Saves a file on the person's computer. @throws ProblemError or the network's TypeError. */
export async function downloadFile(node: NodeClient, path: string): Promise<void> {
	await saveResponse(await node.read(path), baseName(path));
}

/** Saves an answer's bytes under a name. @throws the network's TypeError. */
export async function saveResponse(response: Response, name: string): Promise<void> {
	const url = URL.createObjectURL(await response.blob());
	const link = document.createElement("a");
	link.href = url;
	link.download = name;
	link.click();
	// The browser has begun to save by the next turn.
	setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
