import type { ReactNode } from "react";
import { Group, Panel, Separator } from "react-resizable-panels";
import { useWorkspace } from "../workspace-context.ts";

export type PanelSpec = {
	id: string;
	content: ReactNode;
	/** CSS sizes, for example `22%` or `180px`. */
	defaultSize: string;
	minSize: string;
};

/** Panels beside or above each other, whose sizes are remembered for the project under the group's name. */
export function Panels(props: { name: string; vertical?: boolean; panels: readonly PanelSpec[] }) {
	const { memory } = useWorkspace();
	const key = `${props.name}:${props.panels.map((panel) => panel.id).join("+")}`;
	const remembered = memory.get().layouts[key];
	return (
		<Group
			key={key}
			orientation={props.vertical ? "vertical" : "horizontal"}
			className="ide-panels"
			{...(remembered ? { defaultLayout: remembered } : {})}
			onLayoutChanged={(layout) => memory.change({ layouts: { ...memory.get().layouts, [key]: layout } })}
		>
			{props.panels.flatMap((panel, index) => [
				...(index === 0
					? []
					: [<Separator key={`before-${panel.id}`} className="ide-separator" aria-label={`Resize ${panel.id}`} />]),
				<Panel
					key={panel.id}
					id={panel.id}
					defaultSize={panel.defaultSize}
					minSize={panel.minSize}
					className="ide-panel"
				>
					{panel.content}
				</Panel>,
			])}
		</Group>
	);
}
