import type { ContainerState, Project, WorkspaceState } from "@repldock/protocol";
import { Avatar, StatusDot, Tooltip } from "@repldock/ui";
import { ArrowLeft } from "lucide-react";
import { RunButton } from "../run/run-button.tsx";
import { ExportMenu } from "../transfer/export-menu.tsx";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { DomainsButton } from "./domains-button.tsx";
import { DurableBadge } from "./durable-badge.tsx";
import { ForkButton } from "./fork-button.tsx";
import { HistoryButton } from "./history-button.tsx";
import { NetworkBadge } from "./network-badge.tsx";
import { ProjectName } from "./project-name.tsx";
import { SaveBadge } from "./save-badge.tsx";
import { ThemeMenu } from "./theme-menu.tsx";

const mostAvatars = 4;

export function Header(props: { project: Project | null; siteUrl: string; onProject(project: Project): void }) {
	const { state, rights } = useWorkspace();
	const workspace = useStore(state);
	const mayOnlyLook = useStore(rights) === "view";
	const { project } = props;
	return (
		<header className="ide-header">
			<div className="ide-header-start">
				<Tooltip text="All projects">
					<a className="ide-back" href={`${props.siteUrl.replace(/\/+$/, "")}/projects`} aria-label="All projects">
						<ArrowLeft size={17} aria-hidden />
					</a>
				</Tooltip>
				{project ? (
					<ProjectName project={project} onChange={props.onProject} />
				) : (
					<h1 className="rd-visually-hidden">Project</h1>
				)}
				<ContainerDot state={workspace} />
				<SaveBadge />
				<DurableBadge />
				<NetworkBadge />
			</div>
			{mayOnlyLook ? <ForkButton project={project} main /> : <RunButton />}
			<div className="ide-header-end">
				<People people={workspace?.people ?? []} />
				<HistoryButton />
				{!mayOnlyLook && (
					<span className="ide-fork">
						<ForkButton project={project} />
					</span>
				)}
				<ExportMenu />
				<DomainsButton />
				<ThemeMenu />
			</div>
		</header>
	);
}

const dots: Record<ContainerState, { tone: "neutral" | "positive" | "warning" | "danger"; label: string }> = {
	stopped: { tone: "neutral", label: "Asleep" },
	starting: { tone: "warning", label: "Starting" },
	running: { tone: "positive", label: "Ready" },
	paused: { tone: "neutral", label: "Asleep" },
	stopping: { tone: "warning", label: "Going to sleep" },
	failed: { tone: "danger", label: "Failed" },
};

function ContainerDot({ state }: { state: WorkspaceState | null }) {
	if (!state) return null;
	const { tone, label } = dots[state.container];
	return (
		<span className="ide-state" title={state.problem?.detail ?? `Container: ${label.toLowerCase()}`}>
			<StatusDot tone={tone} label={label} pulsing={tone === "warning"} />
		</span>
	);
}

function People({ people }: { people: WorkspaceState["people"] }) {
	const distinct = [...new Map(people.map((person) => [person.userId, person])).values()];
	if (distinct.length === 0) return null;
	return (
		<ul className="ide-people" aria-label="People here">
			{distinct.slice(0, mostAvatars).map((person) => (
				<li key={person.userId} title={person.name}>
					<Avatar name={person.name} size={24} />
				</li>
			))}
			{distinct.length > mostAvatars && <li className="ide-people-more">+{distinct.length - mostAvatars}</li>}
		</ul>
	);
}
