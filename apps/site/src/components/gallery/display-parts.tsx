import {
	Avatar,
	Badge,
	Breadcrumb,
	Callout,
	Card,
	EmptyState,
	Progress,
	Skeleton,
	Spinner,
	StatusDot,
	Table,
	TabPanel,
	Tabs,
} from "@repldock/ui";
import { FileCode, Inbox } from "lucide-react";
import { useState } from "react";
import { Part } from "./part.tsx";

const files = [
	{ id: "main.py", label: "main.py", icon: <FileCode aria-hidden />, closable: true },
	{ id: "tides.csv", label: "tides.csv", closable: true, unsaved: true },
	{ id: "shell", label: "Shell" },
];

export function DisplayParts({ theme }: { theme: string }) {
	const [selected, setSelected] = useState("main.py");
	const tabs = `gallery-${theme}`;
	return (
		<>
			<Part name="Badge, status, avatar">
				<Badge>Member</Badge>
				<Badge tone="accent">Public</Badge>
				<Badge tone="positive">Saved</Badge>
				<Badge tone="warning">Old</Badge>
				<Badge tone="danger">Lost</Badge>
				<StatusDot tone="positive" label="Running" />
				<StatusDot tone="warning" label="Starting" pulsing />
				<StatusDot tone="neutral" label="Stopped" />
				<StatusDot tone="danger" label="Failed" />
				<Avatar name="Ada Lovelace" />
				<Avatar name="Grace" size={36} />
			</Part>
			<Part name="Tabs">
				<div>
					<Tabs id={tabs} label={`Files (${theme})`} tabs={files} selected={selected} onSelect={setSelected} />
					<TabPanel tabs={tabs} id={selected}>
						The content of {selected}.
					</TabPanel>
				</div>
			</Part>
			<Part name="Breadcrumb">
				<Breadcrumb
					label={`Breadcrumb (${theme})`}
					items={[{ label: "Projects", href: "/projects" }, { label: "tide-table" }]}
				/>
			</Part>
			<Part name="Callout">
				<Callout title="Good to know">Apps listen on 0.0.0.0.</Callout>
				<Callout tone="positive">It is on the web.</Callout>
				<Callout tone="warning">The disk is nearly full.</Callout>
				<Callout tone="danger">The server does not answer.</Callout>
			</Part>
			<Part name="Spinner, progress, skeleton">
				<Spinner label="Loading" />
				<Progress label="Uploading" value={0.4} />
				<Progress label="Waiting" />
				<Skeleton width="10rem" />
			</Part>
			<Card title={`Card (${theme})`} description="With a table.">
				<Table
					label={`Nodes (${theme})`}
					columns={["Name", "Containers"]}
					rows={[{ key: "harbour-1", cells: { Name: "harbour-1", Containers: "12 of 40" } }]}
				/>
			</Card>
			<EmptyState icon={<Inbox aria-hidden />} title="Nothing here yet">
				What arrives shows up here.
			</EmptyState>
		</>
	);
}
