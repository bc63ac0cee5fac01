import type { Project } from "@repldock/protocol";
import { Button, Callout, EmptyState, LinkButton, SegmentedControl, Skeleton, TextField, Toaster } from "@repldock/ui";
import { ArrowLeft, LayoutGrid, List, Plus, Search, SearchX, Trash2 } from "lucide-react";
import { useEffect, useState } from "react";
import { saveOrTell } from "../../ide/transfer/export-entries.tsx";
import { useHydrated } from "../forms/use-hydrated.ts";
import { DomainsDialog } from "./domains-dialog.tsx";
import { EditProjectDialog } from "./edit-project-dialog.tsx";
import { FirstProject } from "./first-project.tsx";
import { ForkDialog } from "./fork-dialog.tsx";
import { transfersOf } from "./import-project.ts";
import { NetworkDialog } from "./network-dialog.tsx";
import { NewProjectDialog } from "./new-project-dialog.tsx";
import { deleteProject, stopProject, toggleVisibility } from "./project-actions.ts";
import { type ProjectActions, ProjectCard } from "./project-card.tsx";
import { Trash } from "./trash.tsx";
import { useProjects } from "./use-projects.ts";
import { useTemplates } from "./use-templates.ts";

type View = "grid" | "list";

const views = [
	{ value: "grid", label: "Grid", icon: <LayoutGrid aria-hidden /> },
	{ value: "list", label: "List", icon: <List aria-hidden /> },
] as const;

const viewKey = "repldock.projects.view";

export interface ProjectsPageProps {
	userName: string;
	appsDomain: string;
	trash: boolean;
	/** The new-project dialog is open from the start. */
	startNew: boolean;
}

export function ProjectsPage({ userName, appsDomain, trash, startNew }: ProjectsPageProps) {
	const hydrated = useHydrated();
	const [query, setQuery] = useState("");
	const [view, setView] = useView();
	const [creating, setCreating] = useState(startNew);
	const [editing, setEditing] = useState<{ project: Project; what: "name" | "slug" } | null>(null);
	const [domainsOf, setDomainsOf] = useState<Project | null>(null);
	const [networkOf, setNetworkOf] = useState<Project | null>(null);
	const [forking, setForking] = useState<Project | null>(null);
	const projects = useProjects(query, trash);
	const { templates } = useTemplates();
	const { items } = projects;

	const actions: ProjectActions = {
		rename: (project) => setEditing({ project, what: "name" }),
		changeAddress: (project) => setEditing({ project, what: "slug" }),
		showDomains: setDomainsOf,
		showNetwork: setNetworkOf,
		toggleVisibility: (project) => void toggleVisibility(project, projects),
		fork: setForking,
		save: (project) => void saveOrTell(transfersOf(project.id), { format: "zip", dependencies: true }),
		stop: (project) => void stopProject(project, projects),
		remove: (project) => void deleteProject(project, projects),
	};

	return (
		<>
			<div className="page-head">
				<h1>{trash ? "Trash" : "Projects"}</h1>
				<div className="page-actions">
					{trash ? (
						<LinkButton href="/projects" icon={<ArrowLeft aria-hidden />}>
							All projects
						</LinkButton>
					) : (
						<>
							<LinkButton href="/projects?trash=1" variant="quiet" icon={<Trash2 aria-hidden />}>
								Trash
							</LinkButton>
							<Button
								variant="primary"
								icon={<Plus aria-hidden />}
								disabled={!hydrated}
								className={hydrated ? undefined : "waking"}
								onClick={() => setCreating(true)}
							>
								New project
							</Button>
						</>
					)}
				</div>
			</div>
			<div className="projects-bar">
				<TextField
					label="Search projects"
					hideLabel
					type="search"
					placeholder={trash ? "Search the trash" : "Search projects"}
					autoComplete="off"
					before={<Search size={16} aria-hidden />}
					value={query}
					onChange={(event) => setQuery(event.currentTarget.value)}
				/>
				{!trash && <SegmentedControl label="View" hideLabel options={views} value={view} onChange={setView} />}
			</div>
			{projects.problem && (
				<Callout tone="danger" action={<Button onClick={projects.reload}>Try again</Button>}>
					{projects.problem}
				</Callout>
			)}
			{!items && !projects.problem && <Loading view={trash ? "list" : view} />}
			{items && trash && <Trash projects={items} templates={templates ?? []} onRestored={projects.remove} />}
			{items && !trash && items.length > 0 && (
				<ul className="projects" data-view={view} aria-label="Projects">
					{items.map((project) => (
						<ProjectCard
							key={project.id}
							project={project}
							template={templates?.find((template) => template.id === project.template)}
							actions={actions}
						/>
					))}
				</ul>
			)}
			{items?.length === 0 && !trash && query === "" && templates && (
				<FirstProject userName={userName} templates={templates} onMore={() => setCreating(true)} />
			)}
			{items?.length === 0 && query !== "" && !trash && (
				<EmptyState
					icon={<SearchX aria-hidden />}
					title="Nothing found"
					action={<Button onClick={() => setQuery("")}>Clear the search</Button>}
				>
					No project is called “{query}”.
				</EmptyState>
			)}
			{projects.loadMore && (
				<p className="more">
					<Button onClick={projects.loadMore}>Show more</Button>
				</p>
			)}
			<NewProjectDialog open={creating} onClose={() => setCreating(false)} />
			{editing && (
				<EditProjectDialog
					{...editing}
					appsDomain={appsDomain}
					onClose={() => setEditing(null)}
					onChanged={projects.put}
				/>
			)}
			{domainsOf && <DomainsDialog project={domainsOf} onClose={() => setDomainsOf(null)} />}
			{forking && <ForkDialog project={forking} onClose={() => setForking(null)} />}
			{networkOf && <NetworkDialog project={networkOf} onClose={() => setNetworkOf(null)} />}
			<Toaster />
		</>
	);
}

/** Grid or list, as chosen last time in this browser. */
function useView(): [View, (view: View) => void] {
	const [view, setView] = useState<View>("grid");
	useEffect(() => {
		if (localStorage.getItem(viewKey) === "list") setView("list");
	}, []);
	return [
		view,
		(next) => {
			setView(next);
			localStorage.setItem(viewKey, next);
		},
	];
}

function Loading({ view }: { view: View }) {
	return (
		<div className="projects" data-view={view} role="status" aria-label="Loading projects">
			{["one", "two", "three"].map((key) => (
				<Skeleton key={key} height={view === "grid" ? "9.25rem" : "4.25rem"} />
			))}
		</div>
	);
}
