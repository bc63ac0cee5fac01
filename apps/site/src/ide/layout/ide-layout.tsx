import { Button, EmptyState, LinkButton, Toaster } from "@repldock/ui";
import { Unplug } from "lucide-react";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { headlineOf } from "../run/sentences.ts";
import { useStore } from "../use-store.ts";
import { mainPort } from "../webview/addresses.ts";
import { useWorkspace } from "../workspace-context.ts";
import { DiskNotice } from "./disk-notice.tsx";
import { Header } from "./header.tsx";
import { HistoryPanel } from "./history-panel.tsx";
import { NarrowLayout } from "./narrow-layout.tsx";
import { RescueNotice } from "./rescue-notice.tsx";
import { useMedia } from "./use-media.ts";
import { useProject } from "./use-project.ts";
import { useShortcuts } from "./use-shortcuts.ts";
import { WideLayout } from "./wide-layout.tsx";

/** The whole page of one project. */
export function IdeLayout({ siteUrl }: { siteUrl: string }) {
	const { connection, site, state, memory, tabs, runner, history } = useWorkspace();
	const narrow = useMedia("(max-width: 760px)");
	const link = useStore(connection.state);
	const workspace = useStore(state);
	const { project, setProject, isPrivate } = useProject(site);
	const [webOpen, setWebOpen] = useState(false);
	useShortcuts();

	useEffect(() => {
		if (project) document.title = `${project.name} · Repldock`;
	}, [project]);

	// The first visit opens what the project names; later ones what was open.
	const entrypoint = workspace?.entrypoint ?? null;
	useLayoutEffect(() => {
		if (memory.isNew && entrypoint !== null && tabs.state.get().paths.length === 0) tabs.open(entrypoint);
	}, [memory, entrypoint, tabs]);

	// The web view comes by itself when something begins to listen.
	const listening = mainPort(workspace?.ports ?? []) !== null;
	const wasListening = useRef(false);
	useEffect(() => {
		if (listening && !wasListening.current) setWebOpen(true);
		wasListening.current = listening;
	}, [listening]);

	// What was started here is looked at.
	const { open: historyOpen } = useStore(history.state);
	const { runs } = useStore(runner.state);
	const seenRuns = useRef(runs);
	useEffect(() => {
		if (runs !== seenRuns.current) history.show(false);
		seenRuns.current = runs;
	}, [runs, history]);

	if (link.kind === "refused") {
		return (
			<main className="ide ide-refused">
				<EmptyState
					icon={<Unplug size={28} aria-hidden />}
					title={headlineOf(link.problem)}
					action={
						<span className="ide-actions">
							{link.problem.code === "sign_in_required" ? (
								<LinkButton href={signInAddress(siteUrl)} variant="primary">
									Sign in
								</LinkButton>
							) : (
								<Button onClick={connection.wake}>Try again</Button>
							)}
							<LinkButton href={`${siteUrl.replace(/\/+$/, "")}/projects`} variant="quiet">
								All projects
							</LinkButton>
						</span>
					}
				>
					<p>{link.problem.detail}</p>
				</EmptyState>
			</main>
		);
	}

	return (
		<main className="ide">
			<Header project={project} siteUrl={siteUrl} onProject={setProject} />
			<RescueNotice />
			<DiskNotice />
			<div className="ide-main">
				<div className="ide-main-panels" inert={historyOpen && !narrow}>
					{narrow ? (
						<NarrowLayout isPrivate={isPrivate} webOpen={webOpen} />
					) : (
						<WideLayout isPrivate={isPrivate} webOpen={webOpen} setWebOpen={setWebOpen} />
					)}
				</div>
				<HistoryPanel closable={!narrow} />
			</div>
			<Toaster />
		</main>
	);
}

function signInAddress(siteUrl: string): string {
	return `${siteUrl.replace(/\/+$/, "")}/sign-in?next=${encodeURIComponent(location.pathname)}`;
}
