/** What a new terminal executes: an interactive shell. */
export function terminalCommand(): readonly string[] {
	return ["/bin/bash"];
}
