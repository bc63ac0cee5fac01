import type { Project } from "@repldock/protocol";
import { Button, Callout, Card, Skeleton, StatusDot, Table, TextField, toast } from "@repldock/ui";
import { type FormEvent, useState } from "react";
import type { Page } from "../api/answers.ts";
import { callApi, sentenceOf } from "../api/client.ts";
import { stateLook } from "../projects/state.ts";
import { useList } from "./use-list.ts";

/** The projects that do not fall asleep, and a way to give that right to another one. */
export function AlwaysOnCard() {
	const list = useList<Project>("/api/v1/admin/projects");
	const [found, setFound] = useState<Project | null>(null);
	const [problem, setProblem] = useState<string>();
	const [pending, setPending] = useState(false);

	async function attempt(action: () => Promise<void>) {
		if (pending) return;
		setPending(true);
		setProblem(undefined);
		try {
			await action();
		} catch (error) {
			setProblem(sentenceOf(error));
		}
		setPending(false);
	}

	function find(event: FormEvent<HTMLFormElement>) {
		event.preventDefault();
		const slug = slugOf(String(new FormData(event.currentTarget).get("address") ?? ""));
		void attempt(async () => {
			setFound(null);
			if (slug === "") return setProblem("Type the address of a project, such as my-app.");
			const page = await callApi<Page<Project>>("GET", `/api/v1/admin/projects?slug=${encodeURIComponent(slug)}`);
			const [project] = page.items;
			if (project) setFound(project);
			else setProblem(`No project has the address ${slug}.`);
		});
	}

	function change(project: Project, alwaysOn: boolean) {
		void attempt(async () => {
			const changed = await callApi<Project>("PATCH", `/api/v1/admin/projects/${project.id}`, { alwaysOn });
			if (found?.id === changed.id) setFound(changed);
			list.reload();
			toast({ title: alwaysOn ? `${project.name} is always on` : `${project.name} sleeps when nobody uses it` });
		});
	}

	const row = (project: Project) => ({
		key: project.id,
		cells: {
			Project: (
				<>
					<strong>{project.name}</strong>
					<br />
					<span className="quiet">{new URL(project.url).host}</span>
				</>
			),
			"Always on": (
				<Button
					size="small"
					aria-label={`${project.alwaysOn ? "Let it sleep" : "Keep it on"}: ${project.name}`}
					disabled={pending}
					onClick={() => change(project, !project.alwaysOn)}
				>
					{project.alwaysOn ? "Let it sleep" : "Keep it on"}
				</Button>
			),
			State: <StatusDot {...stateLook[project.state]} />,
			Owner: project.ownerName,
		},
	});
	const listed = [...(found && !found.alwaysOn ? [found] : []), ...(list.items ?? [])];

	return (
		<Card
			title="Always on"
			description="Projects sleep when nobody uses them, and wake for the next visitor. These do not; an owner's Stop still stops them."
		>
			<form className="find-project" onSubmit={find}>
				<TextField
					label="Address of a project"
					name="address"
					placeholder="my-app"
					autoComplete="off"
					spellCheck={false}
				/>
				<Button type="submit" disabled={pending}>
					Find
				</Button>
			</form>
			{(problem ?? list.problem) && <Callout tone="danger">{problem ?? list.problem}</Callout>}
			{!list.items && !list.problem && <Skeleton height="3rem" />}
			{list.items && listed.length === 0 && <p className="quiet">No project is always on.</p>}
			{listed.length > 0 && (
				<Table label="Always on" columns={["Project", "Always on", "State", "Owner"]} rows={listed.map(row)} />
			)}
			{list.loadMore && (
				<p className="more">
					<Button onClick={list.loadMore}>Show more</Button>
				</p>
			)}
		</Card>
	);
}

/** The slug in what was typed: a slug, a host name or a whole address. */
function slugOf(text: string): string {
	const host =
		text
			.trim()
			.toLowerCase()
			.replace(/^https?:\/\//, "")
			.split(/[/:?#]/)[0] ?? "";
	return (host.split(".")[0] ?? "").replace(/^\d+--/, "");
}
