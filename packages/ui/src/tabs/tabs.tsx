import { X } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useRef } from "react";
import { classes } from "../classes.ts";

export interface Tab {
	id: string;
	label: string;
	icon?: ReactNode;
	/** Shows a close button; Delete and the middle mouse button close it too. */
	closable?: boolean | undefined;
	/** A dot in place of the close button: what is inside is not saved yet. */
	unsaved?: boolean | undefined;
	/** Full name, where the label is short for it. */
	title?: string | undefined;
}

export interface TabsProps {
	/** Prefix of the ids that tie tabs to panels; unique on the page. */
	id: string;
	label: string;
	tabs: readonly Tab[];
	selected: string | null;
	onSelect: (id: string) => void;
	onClose?: ((id: string) => void) | undefined;
	className?: string | undefined;
}

/** A row of tabs. Arrow keys, Home and End move and select; show the content in a `TabPanel` of the same `id`. */
export function Tabs({ id, label, tabs, selected, onSelect, onClose, className }: TabsProps) {
	const row = useRef<HTMLDivElement>(null);

	function move(event: KeyboardEvent<HTMLButtonElement>, index: number) {
		const tab = tabs[index];
		if (event.key === "Delete" && tab?.closable) return onClose?.(tab.id);
		const target = keyTarget(event.key, index, tabs.length);
		const next = target === undefined ? undefined : tabs[target];
		if (!next || target === undefined) return;
		event.preventDefault();
		onSelect(next.id);
		row.current?.querySelectorAll<HTMLElement>("[role='tab']")[target]?.focus();
	}

	return (
		<div ref={row} className={classes("rd-tabs", className)} role="tablist" aria-label={label}>
			{tabs.map((tab, index) => {
				const isSelected = tab.id === selected;
				return (
					<button
						key={tab.id}
						type="button"
						role="tab"
						id={tabId(id, tab.id)}
						className="rd-tab"
						title={tab.title}
						aria-label={tab.unsaved ? `${tab.label} (not saved yet)` : tab.label}
						aria-selected={isSelected}
						aria-controls={isSelected ? panelId(id, tab.id) : undefined}
						aria-keyshortcuts={tab.closable ? "Delete" : undefined}
						tabIndex={isSelected || (selected === null && index === 0) ? 0 : -1}
						onClick={() => onSelect(tab.id)}
						onAuxClick={(event) => event.button === 1 && tab.closable && onClose?.(tab.id)}
						onKeyDown={(event) => move(event, index)}
					>
						{tab.icon}
						<span className="rd-tab-label">{tab.label}</span>
						{(tab.closable || tab.unsaved) && (
							// A pointer's way only: inside a tab nothing else may take the focus. The keyboard has Delete.
							<span
								className="rd-tab-close"
								aria-hidden="true"
								data-close={tab.id}
								data-unsaved={tab.unsaved || undefined}
								onClick={(event) => {
									event.stopPropagation();
									if (tab.closable) onClose?.(tab.id);
								}}
							>
								<X size={14} />
							</span>
						)}
					</button>
				);
			})}
		</div>
	);
}

export interface TabPanelProps {
	/** The `id` of the tabs. */
	tabs: string;
	/** Which tab this belongs to. */
	id: string;
	/** Kept in the page, but not shown. */
	hidden?: boolean | undefined;
	className?: string | undefined;
	children: ReactNode;
}

export function TabPanel({ tabs, id, hidden, className, children }: TabPanelProps) {
	return (
		<div role="tabpanel" id={panelId(tabs, id)} aria-labelledby={tabId(tabs, id)} hidden={hidden} className={className}>
			{children}
		</div>
	);
}

function tabId(tabs: string, id: string): string {
	return `${tabs}-tab-${domId(id)}`;
}

function panelId(tabs: string, id: string): string {
	return `${tabs}-panel-${domId(id)}`;
}

/** Ids of tabs are often file paths; spaces would end an id in `aria-controls`. */
function domId(id: string): string {
	return id.replace(/[^\w.-]/gu, (character) => `_${character.codePointAt(0)?.toString(16)}_`);
}

function keyTarget(key: string, index: number, count: number): number | undefined {
	if (key === "ArrowRight") return (index + 1) % count;
	if (key === "ArrowLeft") return (index + count - 1) % count;
	if (key === "Home") return 0;
	if (key === "End") return count - 1;
	return undefined;
}
