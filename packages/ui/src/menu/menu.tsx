import { type KeyboardEvent, type ReactNode, type RefObject, useCallback, useId, useRef, useState } from "react";
import type { Align } from "../floating/place.ts";
import { type MenuEntry, MenuList } from "./menu-list.tsx";

/** To be spread on the button that opens the menu. */
export interface MenuTriggerProps {
	ref: RefObject<HTMLButtonElement | null>;
	"aria-haspopup": "menu";
	"aria-expanded": boolean;
	"aria-controls": string | undefined;
	onClick: () => void;
	onKeyDown: (event: KeyboardEvent<HTMLButtonElement>) => void;
}

export interface MenuProps {
	label: string;
	entries: readonly MenuEntry[];
	align?: Align | undefined;
	trigger: (props: MenuTriggerProps) => ReactNode;
}

/** A drop-down menu: `<Menu … trigger={(props) => <IconButton label="More" icon={…} {...props} />} />`. */
export function Menu({ label, entries, align = "start", trigger }: MenuProps) {
	const id = useId();
	const button = useRef<HTMLButtonElement>(null);
	const [opened, setOpened] = useState<"start" | "end" | null>(null);

	const anchor = useCallback(() => button.current?.getBoundingClientRect() ?? new DOMRect(), []);
	function close() {
		setOpened(null);
		button.current?.focus({ preventScroll: true });
	}

	return (
		<>
			{trigger({
				ref: button,
				"aria-haspopup": "menu",
				"aria-expanded": opened !== null,
				"aria-controls": opened ? id : undefined,
				onClick: () => setOpened(opened ? null : "start"),
				onKeyDown: (event) => {
					if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
					event.preventDefault();
					setOpened(event.key === "ArrowDown" ? "start" : "end");
				},
			})}
			{opened && (
				<MenuList
					id={id}
					label={label}
					entries={entries}
					anchor={anchor}
					align={align}
					startAtEnd={opened === "end"}
					onClose={close}
				/>
			)}
		</>
	);
}

export interface ContextMenuProps {
	label: string;
	entries: readonly MenuEntry[];
	/** Where it was asked for, in pixels of the window; null while it is closed. */
	at: { x: number; y: number } | null;
	onClose: () => void;
}

/** The same list at the pointer. Focus goes back to what had it. */
export function ContextMenu({ label, entries, at, onClose }: ContextMenuProps) {
	const id = useId();
	const before = useRef<Element | null>(null);
	if (!at) {
		before.current = null;
		return null;
	}
	before.current ??= document.activeElement;
	return (
		<MenuList
			key={`${at.x},${at.y}`}
			id={id}
			label={label}
			entries={entries}
			anchor={() => new DOMRect(at.x, at.y - 4, 0, 0)}
			align="start"
			onClose={() => {
				if (before.current instanceof HTMLElement) before.current.focus({ preventScroll: true });
				onClose();
			}}
		/>
	);
}
