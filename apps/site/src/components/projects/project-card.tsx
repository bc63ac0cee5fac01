import type { Project, Template } from "@repldock/protocol";
import { Badge, IconButton, Menu, type MenuEntry, StatusDot } from "@repldock/ui";
import {
	Download,
	Ellipsis,
	ExternalLink,
	GitFork,
	Globe,
	Globe2,
	Link2,
	Lock,
	Network,
	Pencil,
	Square,
	SquareTerminal,
	Sun,
	Trash2,
} from "lucide-react";
import { ago } from "../time.ts";
import { stateLook } from "./state.ts";
import { TemplateIcon } from "./template-icon.tsx";

export interface ProjectActions {
	rename: (project: Project) => void;
	changeAddress: (project: Project) => void;
	showDomains: (project: Project) => void;
	showNetwork: (project: Project) => void;
	toggleVisibility: (project: Project) => void;
	fork: (project: Project) => void;
	save: (project: Project) => void;
	stop: (project: Project) => void;
	remove: (project: Project) => void;
}

export interface ProjectCardProps {
	project: Project;
	template: Template | undefined;
	actions: ProjectActions;
}

/** One project; all of the card leads to it, its buttons aside. */
export function ProjectCard({ project, template, actions }: ProjectCardProps) {
	return (
		<li className="project">
			<TemplateIcon language={template?.language ?? project.template} />
			<div className="project-name">
				<a href={`/projects/${project.id}`}>{project.name}</a>
				<p>
					<span>{template?.name ?? project.template}</span>
					{project.alwaysOn && (
						<Badge tone="positive" icon={<Sun aria-hidden />}>
							Always on
						</Badge>
					)}
					<span>{project.openedAt ? `Opened ${ago(project.openedAt)}` : `Created ${ago(project.createdAt)}`}</span>
				</p>
			</div>
			<div className="project-menu">
				<Menu
					label={`Actions for ${project.name}`}
					align="end"
					entries={entriesFor(project, actions)}
					trigger={(props) => (
						<IconButton {...props} label={`More about ${project.name}`} icon={<Ellipsis aria-hidden />} size="small" />
					)}
				/>
			</div>
			<div className="project-state">
				<StatusDot {...stateLook[project.state]} />
				<Badge
					tone={project.visibility === "public" ? "accent" : "neutral"}
					icon={project.visibility === "public" ? <Globe aria-hidden /> : <Lock aria-hidden />}
				>
					{project.visibility === "public" ? "Public" : "Private"}
				</Badge>
			</div>
			<a className="project-app" href={project.url} target="_blank" rel="noreferrer" title={project.url}>
				<span className="rd-visually-hidden">Open the app of {project.name} at </span>
				<span className="project-address">{new URL(project.url).host}</span>
				<ExternalLink size={13} aria-hidden />
			</a>
			{project.networkRestriction && (
				<p className="project-restriction">
					{project.networkRestriction.kind === "closed"
						? "An operator closed its network: "
						: "An operator throttled its network: "}
					{project.networkRestriction.reason} <a href={`/projects/${project.id}`}>Answer in its Network tab</a>
				</p>
			)}
			{project.problem && <p className="project-problem">{project.problem.detail}</p>}
		</li>
	);
}

function entriesFor(project: Project, actions: ProjectActions): MenuEntry[] {
	const isPublic = project.visibility === "public";
	const entries: MenuEntry[] = [
		{ id: "open", label: "Open", icon: <SquareTerminal />, href: `/projects/${project.id}` },
		{ id: "app", label: "Open app in a new tab", icon: <ExternalLink />, href: project.url, newTab: true },
		"separator",
		{ id: "rename", label: "Rename…", icon: <Pencil />, onSelect: () => actions.rename(project) },
		{ id: "address", label: "Change address…", icon: <Link2 />, onSelect: () => actions.changeAddress(project) },
		{ id: "domains", label: "Domains…", icon: <Globe2 />, onSelect: () => actions.showDomains(project) },
		{ id: "network", label: "Network…", icon: <Network />, onSelect: () => actions.showNetwork(project) },
		{
			id: "visibility",
			label: isPublic ? "Make private" : "Make public",
			icon: isPublic ? <Lock /> : <Globe />,
			onSelect: () => actions.toggleVisibility(project),
		},
	];
	entries.push({ id: "fork", label: "Fork…", icon: <GitFork />, onSelect: () => actions.fork(project) });
	entries.push({ id: "export", label: "Export as zip", icon: <Download />, onSelect: () => actions.save(project) });
	if (["running", "starting", "asleep"].includes(project.state)) {
		entries.push({ id: "stop", label: "Stop", icon: <Square />, onSelect: () => actions.stop(project) });
	}
	entries.push("separator", {
		id: "delete",
		label: "Delete",
		icon: <Trash2 />,
		danger: true,
		onSelect: () => actions.remove(project),
	});
	return entries;
}
