import { describeRate } from "../../components/rates.ts";
import { drawGraph, graphHeight, graphWidth } from "./graph-shape.ts";
import type { TrafficShown } from "./traffic-feed.ts";

/** What is sent and received, with the floor that the project is sure of. */
export function TrafficGraph({ samples, floorBitsPerSecond }: Pick<TrafficShown, "samples" | "floorBitsPerSecond">) {
	const shape = drawGraph(samples, floorBitsPerSecond);
	const last = samples.at(-1);
	const sent = last?.sentBitsPerSecond ?? 0;
	const borrowed = floorBitsPerSecond > 0 ? Math.max(0, sent - floorBitsPerSecond) : 0;
	const figures = [
		{ kind: "used", label: "Sends", value: sent },
		{ kind: "borrowed", label: "of it borrowed", value: borrowed },
		{ kind: "received", label: "Receives", value: last?.receivedBitsPerSecond ?? 0 },
		...(floorBitsPerSecond > 0 ? [{ kind: "floor", label: "Guaranteed", value: floorBitsPerSecond }] : []),
	];
	return (
		<figure className="ide-traffic">
			<div className="ide-traffic-picture">
				<svg
					viewBox={`0 0 ${graphWidth} ${graphHeight}`}
					preserveAspectRatio="none"
					role="img"
					aria-label="Traffic of the last five minutes"
				>
					<path className="ide-traffic-used" d={shape.used} />
					<path className="ide-traffic-borrowed" d={shape.borrowed} />
					<path className="ide-traffic-received" d={shape.received} />
					{shape.floorY !== null && (
						<line className="ide-traffic-floor" x1={0} x2={graphWidth} y1={shape.floorY} y2={shape.floorY} />
					)}
				</svg>
				<span className="ide-traffic-top">{describeRate(shape.topBitsPerSecond)}</span>
				<span className="ide-traffic-span">last 5 minutes</span>
			</div>
			<figcaption>
				<dl className="ide-traffic-figures">
					{figures.map(({ kind, label, value }) => (
						<div key={kind}>
							<dt>
								<span className="ide-traffic-key" data-kind={kind} aria-hidden />
								{label}
							</dt>
							<dd>{describeRate(value)}</dd>
						</div>
					))}
				</dl>
			</figcaption>
		</figure>
	);
}
