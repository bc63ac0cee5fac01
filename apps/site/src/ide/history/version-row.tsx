import type { Version } from "@repldock/protocol";
import { Badge } from "@repldock/ui";
import { Bookmark, CircleDot, LifeBuoy, type LucideIcon, Undo2 } from "lucide-react";
import { describeKind, describeTime, explainKind } from "./words.ts";

/** One version of the list; those with a name stand out. */
export function VersionRow(props: { version: Version; chosen: boolean; onChoose(): void }) {
	const { version, chosen, onChoose } = props;
	const Icon = iconOf(version);
	const time = <time dateTime={version.takenAt}>{describeTime(version.takenAt)}</time>;
	const kind = <span className="ide-history-kind">{describeKind(version)}</span>;
	return (
		<li>
			<button
				type="button"
				className="ide-history-row"
				data-row={version.id}
				aria-current={chosen || undefined}
				data-named={version.name !== null || undefined}
				data-kind={version.recovered ? "recovered" : version.kind}
				title={explainKind(version) ?? undefined}
				onClick={onChoose}
			>
				<Icon size={15} aria-hidden />
				<span className="ide-history-row-text">
					{version.name !== null && <strong>{version.name}</strong>}
					<span className="ide-history-row-line">
						{time} {kind}
					</span>
				</span>
				{version.current && <Badge tone="positive">Current</Badge>}
			</button>
		</li>
	);
}

function iconOf({ name, kind, recovered }: Version): LucideIcon {
	if (recovered) return LifeBuoy;
	if (name !== null) return Bookmark;
	return kind === "before-restore" ? Undo2 : CircleDot;
}
