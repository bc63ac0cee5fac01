import { createContext, useContext } from "react";
import type { Workspace } from "./workspace.ts";

export const WorkspaceContext = createContext<Workspace | null>(null);

/** The open project. @throws Error outside of `Ide`. */
export function useWorkspace(): Workspace {
	const workspace = useContext(WorkspaceContext);
	if (!workspace) throw new Error("This component belongs inside of Ide.");
	return workspace;
}
