import type { Destination } from "@repldock/protocol";
import { Badge } from "@repldock/ui";
import { useState } from "react";
import { describeBytes } from "../../components/rates.ts";

const shownFirst = 8;

/** Where the project's connections go, those that carried the most first. */
export function Destinations({ destinations }: { destinations: readonly Destination[] }) {
	const [all, setAll] = useState(false);
	const sorted = destinations.toSorted((one, other) => carried(other) - carried(one));
	const shown = all ? sorted : sorted.slice(0, shownFirst);
	return (
		<>
			<h2>Where to</h2>
			{destinations.length === 0 && <p className="ide-network-hint">It has connected to nothing yet.</p>}
			<ul className="ide-network-destinations" aria-label="Destinations">
				{shown.map((destination) => (
					<li key={`${destination.protocol} ${destination.address} ${destination.port}`}>
						<span className="ide-network-name" title={destination.address}>
							{destination.name ?? destination.address}
							<span>:{destination.port}</span>
						</span>
						{destination.open > 0 && <Badge tone="positive">{destination.open} open</Badge>}
						<span className="ide-network-carried">
							{describeBytes(destination.sentBytes)} sent, {describeBytes(destination.receivedBytes)} received
						</span>
					</li>
				))}
			</ul>
			{sorted.length > shownFirst && (
				<button type="button" className="ide-network-more" onClick={() => setAll(!all)}>
					{all ? "Show fewer" : `Show all ${sorted.length}`}
				</button>
			)}
		</>
	);
}

function carried({ sentBytes, receivedBytes }: Destination): number {
	return sentBytes + receivedBytes;
}
