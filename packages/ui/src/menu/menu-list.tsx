import { Check } from "lucide-react";
import { Fragment, type KeyboardEvent, type ReactNode, useEffect, useRef } from "react";
import { type Align, placeBeside } from "../floating/place.ts";
import { Kbd } from "../kbd/kbd.tsx";

export interface MenuItem {
	id: string;
	label: string;
	icon?: ReactNode;
	/** Keys that do the same, shown at the end. */
	shortcut?: string | undefined;
	danger?: boolean | undefined;
	disabled?: boolean | undefined;
	/** Makes it a choice that is on or off. */
	checked?: boolean | undefined;
	/** Makes it a link. */
	href?: string | undefined;
	/** For links: opens in a tab of its own. */
	newTab?: boolean | undefined;
	onSelect?: (() => void) | undefined;
}

export type MenuEntry = MenuItem | "separator";

interface MenuListProps {
	id: string;
	label: string;
	entries: readonly MenuEntry[];
	/** What it opens beside; asked for once, when it opens. */
	anchor: () => DOMRect;
	align: Align;
	startAtEnd?: boolean;
	onClose: () => void;
}

/** The open list of a menu: arrows, Home, End, first letters, Enter, Escape and Tab do what the platform's menus do. */
export function MenuList({ id, label, entries, anchor, align, startAtEnd = false, onClose }: MenuListProps) {
	const list = useRef<HTMLDivElement>(null);
	const typed = useRef({ text: "", at: 0 });
	const latest = useRef({ anchor, onClose });
	latest.current = { anchor, onClose };

	useEffect(() => {
		const element = list.current;
		if (!element) return;
		const abort = new AbortController();
		const { signal } = abort;
		const close = () => latest.current.onClose();
		element.showPopover();
		placeBeside(latest.current.anchor(), element, "bottom", align);
		itemsOf(element)
			.at(startAtEnd ? -1 : 0)
			?.focus({ preventScroll: true });
		const closeOutside = (event: Event) => {
			if (event.target instanceof Node && !element.contains(event.target)) close();
		};
		window.addEventListener("pointerdown", closeOutside, { signal, capture: true });
		window.addEventListener("scroll", closeOutside, { signal, capture: true });
		window.addEventListener("resize", close, { signal });
		window.addEventListener("blur", close, { signal });
		return () => abort.abort();
	}, [align, startAtEnd]);

	function onKeyDown(event: KeyboardEvent<HTMLDivElement>) {
		const items = itemsOf(event.currentTarget);
		const current = items.indexOf(document.activeElement as HTMLElement);
		const target = keyTarget(event.key, items, current);
		if (event.key === "Escape" || event.key === "Tab") onClose();
		else if (target) target.focus();
		else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey)
			typeAhead(items, current, event.key, event.timeStamp);
		else return;
		event.preventDefault();
		event.stopPropagation();
	}

	function typeAhead(items: HTMLElement[], current: number, key: string, now: number) {
		const fresh = now - typed.current.at > 700;
		const text = (fresh ? "" : typed.current.text) + key.toLowerCase();
		typed.current = { text, at: now };
		const from = text.length === 1 ? current + 1 : current;
		const order = [...items.slice(from), ...items.slice(0, from)];
		order.find((item) => item.textContent?.trim().toLowerCase().startsWith(text))?.focus();
	}

	function select(item: MenuItem) {
		onClose();
		item.onSelect?.();
	}

	return (
		<div
			ref={list}
			id={id}
			className="rd-menu"
			role="menu"
			aria-label={label}
			popover="manual"
			onKeyDown={onKeyDown}
			tabIndex={-1}
		>
			{entries.map((entry, index) => {
				// biome-ignore lint/suspicious/noArrayIndexKey: separators have nothing else to be told apart by
				if (entry === "separator") return <hr key={`separator-${index}`} />;
				return (
					<Fragment key={entry.id}>
						<Item item={entry} onSelect={() => select(entry)} />
					</Fragment>
				);
			})}
		</div>
	);
}

function Item({ item, onSelect }: { item: MenuItem; onSelect: () => void }) {
	const role = item.checked === undefined ? "menuitem" : "menuitemcheckbox";
	const shared = {
		role,
		className: "rd-menu-item",
		tabIndex: -1,
		"data-danger": item.danger || undefined,
		"aria-disabled": item.disabled || undefined,
		"aria-checked": item.checked,
		onPointerMove: (event: { currentTarget: HTMLElement }) => event.currentTarget.focus({ preventScroll: true }),
	};
	const content = (
		<>
			<span className="rd-menu-icon">{item.checked ? <Check aria-hidden /> : item.icon}</span>
			<span className="rd-menu-label">{item.label}</span>
			{item.shortcut && <Kbd keys={item.shortcut} />}
		</>
	);
	if (item.href !== undefined && !item.disabled) {
		const target = item.newTab ? { target: "_blank", rel: "noreferrer" } : {};
		return (
			<a {...shared} {...target} href={item.href} onClick={onSelect}>
				{content}
			</a>
		);
	}
	return (
		<button {...shared} type="button" onClick={() => !item.disabled && onSelect()}>
			{content}
		</button>
	);
}

function itemsOf(list: HTMLElement): HTMLElement[] {
	return [...list.querySelectorAll<HTMLElement>(".rd-menu-item:not([aria-disabled='true'])")];
}

function keyTarget(key: string, items: HTMLElement[], current: number): HTMLElement | undefined {
	if (key === "ArrowDown") return items[(current + 1) % items.length];
	if (key === "ArrowUp") return items.at(current <= 0 ? -1 : current - 1);
	if (key === "Home") return items[0];
	if (key === "End") return items.at(-1);
	return undefined;
}
