import { IconButton, Select, Spinner, TextField } from "@repldock/ui";
import { Eraser, Pause, Play, Search } from "lucide-react";
import { useCallback, useDeferredValue, useEffect, useState } from "react";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { matchesFilter, type StatusChoice, statusChoices } from "./filter.ts";
import { RequestRow } from "./request-row.tsx";
import { RequestsEmpty } from "./requests-empty.tsx";

/** What visitors ask of the app, as it happens. Nothing is sent for it while it is not looked at. */
export function RequestsPanel({ visible }: { visible: boolean }) {
	const { requests: feed } = useWorkspace();
	const { requests, more, waiting, paused, loaded } = useStore(feed.state);
	const [typed, setTyped] = useState("");
	const [status, setStatus] = useState<StatusChoice>("all");
	const [openId, setOpenId] = useState<number | null>(null);
	const toggle = useCallback((id: number) => setOpenId((before) => (before === id ? null : id)), []);
	// Typing goes before drawing a thousand rows.
	const filter = useDeferredValue(typed);
	useEffect(() => (visible ? feed.follow() : undefined), [visible, feed]);

	const shown = requests.filter((request) => matchesFilter(request, filter, status));
	return (
		<section className="ide-requests" aria-label="Requests">
			<header className="ide-requests-bar">
				<TextField
					label="Filter requests"
					hideLabel
					type="search"
					placeholder="Filter"
					before={<Search size={14} aria-hidden />}
					value={typed}
					onChange={(event) => setTyped(event.target.value)}
				/>
				<Select
					label="Status"
					hideLabel
					options={statusChoices}
					value={status}
					onChange={(event) => setStatus(event.target.value as StatusChoice)}
				/>
				<span className="ide-spring" />
				<IconButton
					label={paused ? "Go on" : "Pause"}
					size="small"
					pressed={paused}
					icon={paused ? <Play aria-hidden /> : <Pause aria-hidden />}
					onClick={() => feed.pause(!paused)}
				/>
				<IconButton
					label="Clear the requests"
					size="small"
					icon={<Eraser aria-hidden />}
					disabled={requests.length === 0 && waiting === 0}
					onClick={feed.clear}
				/>
			</header>
			<p className="ide-requests-note" role="status" hidden={!paused && more === 0}>
				{paused && (waiting === 0 ? "Paused." : `Paused; ${count(waiting)} came meanwhile.`)}{" "}
				{more > 0 && `${count(more)} more not shown.`}
			</p>
			{!loaded && (
				<p className="ide-requests-wait">
					<Spinner size={14} /> Asking for the latest requests…
				</p>
			)}
			{loaded && requests.length === 0 && <RequestsEmpty />}
			{requests.length > 0 && shown.length === 0 && (
				<p className="ide-requests-wait">No request matches. {count(requests.length)} are hidden by the filter.</p>
			)}
			{shown.length > 0 && (
				<ol className="ide-requests-list" aria-label="Requests, newest first">
					{shown.map((request) => (
						<RequestRow key={request.id} request={request} open={request.id === openId} onToggle={toggle} />
					))}
				</ol>
			)}
		</section>
	);
}

function count(number: number): string {
	return number.toLocaleString("en");
}
