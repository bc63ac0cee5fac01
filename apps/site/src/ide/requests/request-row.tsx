import type { AppRequest } from "@repldock/protocol";
import { Badge } from "@repldock/ui";
import { memo } from "react";
import { describeDuration } from "../run/duration.ts";
import { describeAnswer, describeMoment, describeSize, toneOf } from "./words.ts";

type Props = { request: AppRequest; open: boolean; onToggle(id: number): void };

/** One request; a press shows what else is known of it. A row is drawn once, however many come after it. */
export const RequestRow = memo(function RequestRow({ request, open, onToggle }: Props) {
	const detailsId = `request-${request.id}`;
	return (
		<li className="ide-request" data-open={open || undefined}>
			<button
				type="button"
				className="ide-request-line"
				aria-expanded={open}
				aria-controls={open ? detailsId : undefined}
				onClick={() => onToggle(request.id)}
			>
				{request.open ? (
					<Badge tone="positive">open</Badge>
				) : (
					<Badge tone={toneOf(request.status)}>{request.status}</Badge>
				)}
				<span className="ide-request-method">{request.method}</span>
				<span className="ide-request-path" title={request.path}>
					{request.path}
				</span>
				<span className="ide-request-figures">
					<span>{request.open ? "" : describeDuration(request.durationMs)}</span>
					<span>{request.open ? "" : describeSize(request.bytesOut)}</span>
					<time dateTime={new Date(request.atMs).toISOString()}>{describeMoment(request.atMs)}</time>
				</span>
			</button>
			{open && <Details id={detailsId} request={request} />}
		</li>
	);
});

function Details({ id, request }: { id: string; request: AppRequest }) {
	const facts: [string, string][] = [
		["Address", `${request.host}${request.path}`],
		["Answered by", describeAnswer(request)],
		["Visitor", request.address ?? "Not kept any more"],
		["User agent", request.userAgent ?? "None named"],
		["When", new Date(request.atMs).toLocaleString()],
		["Time taken", request.open ? "Still open" : describeDuration(request.durationMs)],
		...(request.open
			? []
			: ([
					["Received", describeSize(request.bytesIn)],
					["Sent", describeSize(request.bytesOut)],
				] satisfies [string, string][])),
		["Protocol", request.protocol],
	];
	return (
		<dl id={id} className="ide-request-details">
			{facts.map(([name, value]) => (
				<div key={name}>
					<dt>{name}</dt>
					<dd>{value}</dd>
				</div>
			))}
		</dl>
	);
}
