import { Button, IconButton, TabPanel, Tabs, toast } from "@repldock/ui";
import { Activity, Globe, Plus, Radio, SquareTerminal, Terminal } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { problemOf } from "../connection/problem.ts";
import { showName } from "../files/paths.ts";
import { NetworkPanel } from "../network/network-panel.tsx";
import { RequestsPanel } from "../requests/requests-panel.tsx";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { ConsolePanel } from "./console-panel.tsx";
import { TerminalPane } from "./terminal-pane.tsx";

const consoleTab = "console";
const requestsTab = "requests";
const networkTab = "network";
/** Tabs that are no terminals, and for editors alone. */
const panelTabs: readonly string[] = [requestsTab, networkTab];

/** Console, visitors' requests, the network and terminals as tabs. `onShowWeb` is there while the web view is closed. */
export function OutputArea({ visible, onShowWeb }: { visible: boolean; onShowWeb?: (() => void) | undefined }) {
	const { terminals, memory, rights, runner, state } = useWorkspace();
	const ids = useStore(terminals.list);
	const ptys = useStore(state)?.ptys;
	const mayEdit = useStore(rights) === "edit";
	const { runs } = useStore(runner.state);
	const [wanted, setWanted] = useState(memory.get().rightTab);
	const [pending, setPending] = useState(false);
	const exists = ids.includes(wanted) || (panelTabs.includes(wanted) && mayEdit);
	const selected = exists ? wanted : consoleTab;

	function select(id: string): void {
		setWanted(id);
		memory.change({ rightTab: id });
		if (id !== consoleTab && !panelTabs.includes(id)) terminals.attach(id).focus();
	}
	// A run started here is looked at.
	const shownRun = useRef(runs);
	useEffect(() => {
		if (runs === shownRun.current) return;
		shownRun.current = runs;
		setWanted(consoleTab);
		memory.change({ rightTab: consoleTab });
	}, [runs, memory]);

	async function open(): Promise<void> {
		setPending(true);
		try {
			select(await terminals.create());
		} catch (error) {
			toast({ title: "No terminal could be opened", detail: problemOf(error).detail, tone: "danger" });
		}
		setPending(false);
	}
	function close(id: string): void {
		terminals.remove(id).catch((error: unknown) => {
			toast({ title: "The terminal could not be closed", detail: problemOf(error).detail, tone: "danger" });
		});
	}

	const tabs = [
		{ id: consoleTab, label: "Console", icon: <SquareTerminal aria-hidden /> },
		// Visitors' addresses, and where programs connect to, are not for everyone who may look at the project.
		...(mayEdit
			? [
					{ id: requestsTab, label: "Requests", icon: <Radio aria-hidden /> },
					{ id: networkTab, label: "Network", icon: <Activity aria-hidden /> },
				]
			: []),
		...ids.map((id, index) => {
			const title = ptys?.find((pty) => pty.ptyId === id)?.title;
			return {
				id,
				label: `Terminal ${index + 1}`,
				title: title ? showName(title) : undefined,
				icon: <Terminal aria-hidden />,
				closable: mayEdit,
			};
		}),
	];
	return (
		<div className="ide-output">
			<div className="ide-bar">
				<Tabs
					id="output"
					label="Console and terminals"
					tabs={tabs}
					selected={selected}
					onSelect={select}
					onClose={close}
				/>
				{mayEdit && (
					<IconButton
						label="New terminal"
						size="small"
						icon={<Plus aria-hidden />}
						disabled={pending}
						onClick={() => void open()}
					/>
				)}
				<span className="ide-spring" />
				{onShowWeb && (
					<Button variant="quiet" size="small" icon={<Globe size={14} aria-hidden />} onClick={onShowWeb}>
						Web view
					</Button>
				)}
			</div>
			<TabPanel tabs="output" id={consoleTab} hidden={selected !== consoleTab} className="ide-output-panel">
				<ConsolePanel visible={visible && selected === consoleTab} />
			</TabPanel>
			{mayEdit && (
				<TabPanel tabs="output" id={requestsTab} hidden={selected !== requestsTab} className="ide-output-panel">
					<RequestsPanel visible={visible && selected === requestsTab} />
				</TabPanel>
			)}
			{mayEdit && (
				<TabPanel tabs="output" id={networkTab} hidden={selected !== networkTab} className="ide-output-panel">
					<NetworkPanel visible={visible && selected === networkTab} />
				</TabPanel>
			)}
			{ids.map((id) => (
				<TabPanel key={id} tabs="output" id={id} hidden={selected !== id} className="ide-output-panel">
					<section className="ide-console" aria-label="Terminal">
						<TerminalPane session={terminals.attach(id)} visible={visible && selected === id} />
					</section>
				</TabPanel>
			))}
		</div>
	);
}
