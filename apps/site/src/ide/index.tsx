import { useEffect, useState } from "react";
import "./ide.css";
import { IdeLayout } from "./layout/ide-layout.tsx";
import { openWorkspace, type Workspace } from "./workspace.ts";
import { WorkspaceContext } from "./workspace-context.ts";

export type IdeProps = {
	projectId: string;
	/** Where the site answers; its API is under `/api/v1`. */
	siteUrl: string;
	/** Domain under which apps have their host names. */
	appsDomain: string;
	/** What other people see at this person's cursor. */
	userName: string;
};

/** The IDE page of one project; runs in the browser only. */
export default function Ide({ projectId, siteUrl, userName }: IdeProps) {
	const [workspace, setWorkspace] = useState<Workspace | null>(null);
	useEffect(() => {
		const opened = openWorkspace({ projectId, siteUrl, userName });
		setWorkspace(opened);
		// The editor's code comes while the page connects.
		void import("./editor/create-editor.ts");
		return () => {
			opened.close();
			setWorkspace(null);
		};
	}, [projectId, siteUrl, userName]);
	if (!workspace) return <main className="ide" aria-busy="true" />;
	return (
		<WorkspaceContext value={workspace}>
			<IdeLayout siteUrl={siteUrl} />
		</WorkspaceContext>
	);
}
