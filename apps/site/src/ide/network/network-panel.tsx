import type { Project, TrafficSummary } from "@repldock/protocol";
import { Spinner } from "@repldock/ui";
import { useEffect, useState } from "react";
import { describeBytes } from "../../components/rates.ts";
import { problemOf } from "../connection/problem.ts";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { Destinations } from "./destinations.tsx";
import { RestrictionNote } from "./restriction-note.tsx";
import { TrafficGraph } from "./traffic-graph.tsx";
import { describeRefusal } from "./words.ts";

/** Sums come from the site, which hears of them every ten seconds. */
const sumsEveryMs = 10_000;

/** What the project sends, receives and is refused, as it happens. Nothing is sent for it while it is not looked at. */
export function NetworkPanel({ visible }: { visible: boolean }) {
	const { traffic: feed, site } = useWorkspace();
	const { samples, floorBitsPerSecond, ceilingBitsPerSecond, details, loaded } = useStore(feed.state);
	const [project, setProject] = useState<Project | null>(null);
	const [sums, setSums] = useState<TrafficSummary | null>(null);
	const [problem, setProblem] = useState<string | null>(null);
	useEffect(() => (visible ? feed.follow() : undefined), [visible, feed]);
	useEffect(() => {
		if (!visible) return undefined;
		let left = false;
		async function ask() {
			try {
				const [latest, summary] = await Promise.all([site.project(), site.traffic()]);
				if (left) return;
				setProject(latest);
				setSums(summary);
				setProblem(null);
			} catch (error) {
				if (!left) setProblem(problemOf(error).detail);
			}
		}
		void ask();
		const timer = setInterval(() => void ask(), sumsEveryMs);
		return () => {
			left = true;
			clearInterval(timer);
		};
	}, [visible, site]);

	if (!loaded) {
		return (
			<section className="ide-network" aria-label="Network">
				<p className="ide-network-wait">
					<Spinner size={14} /> Asking for the latest figures…
				</p>
			</section>
		);
	}
	return (
		<section className="ide-network" aria-label="Network">
			{project && <RestrictionNote project={project} onProject={setProject} />}
			<TrafficGraph samples={samples} floorBitsPerSecond={floorBitsPerSecond} />
			{ceilingBitsPerSecond === 0 && (
				<p className="ide-network-hint">This server does not share its uplink by floors, so that none is drawn.</p>
			)}
			{problem && <p className="ide-network-hint">{problem}</p>}
			{sums && <Sums sums={sums} />}
			<Destinations destinations={details.destinations} />
			<h2>Refused</h2>
			{details.refused.length === 0 && (
				<p className="ide-network-hint">Nothing was refused since the container started.</p>
			)}
			<ul className="ide-network-refused">
				{details.refused.map(({ reason, packets }) => (
					<li key={reason}>
						<strong>{packets.toLocaleString("en")}</strong> {describeRefusal(reason)}
					</li>
				))}
			</ul>
		</section>
	);
}

function Sums({ sums }: { sums: TrafficSummary }) {
	const columns = [
		{ title: "Today", totals: sums.today },
		{ title: "This month", totals: sums.month },
	];
	return (
		<dl className="ide-network-sums" title="Days and months of UTC">
			{columns.map(({ title, totals }) => (
				<div key={title}>
					<dt>{title}</dt>
					<dd>
						{describeBytes(totals.sentBytes)} <span className="ide-network-word">sent</span>
					</dd>
					<dd>
						{describeBytes(totals.receivedBytes)} <span className="ide-network-word">received</span>
					</dd>
				</div>
			))}
		</dl>
	);
}
