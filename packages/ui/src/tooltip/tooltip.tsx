import { cloneElement, type ReactElement, useEffect, useId, useRef, useState } from "react";
import { placeBeside, type Side } from "../floating/place.ts";
import { Kbd } from "../kbd/kbd.tsx";

/** Long enough that a passing pointer leaves no trail. */
const hoverDelayMs = 450;

export interface TooltipProps {
	text: string;
	shortcut?: string | undefined;
	side?: Side | undefined;
	/** False where the text is the anchor's name already, so that it is not read twice. */
	describes?: boolean | undefined;
	/** One element that can be hovered or focused. */
	children: ReactElement<{ "aria-describedby"?: string | undefined }>;
}

/** A short text beside what the pointer or the keyboard focus is on. Escape hides it. */
export function Tooltip({ text, shortcut, side = "bottom", describes = true, children }: TooltipProps) {
	const id = useId();
	const anchor = useRef<HTMLSpanElement>(null);
	const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
	const [shown, setShown] = useState(false);

	function hide() {
		clearTimeout(timer.current);
		setShown(false);
	}

	useEffect(() => () => clearTimeout(timer.current), []);

	return (
		// biome-ignore lint/a11y/noStaticElementInteractions: it only watches what its interactive child is going through
		<span
			ref={anchor}
			className="rd-tooltip-anchor"
			onPointerEnter={(event) => {
				if (event.pointerType === "mouse") timer.current = setTimeout(() => setShown(true), hoverDelayMs);
			}}
			onPointerLeave={hide}
			onPointerDown={hide}
			onFocus={(event) => event.target.matches(":focus-visible") && setShown(true)}
			onBlur={hide}
			onKeyDown={(event) => event.key === "Escape" && hide()}
		>
			{describes ? cloneElement(children, { "aria-describedby": shown ? id : undefined }) : children}
			{shown && (
				<Bubble id={id} text={text} shortcut={shortcut} side={side} anchor={anchor.current} silent={!describes} />
			)}
		</span>
	);
}

interface BubbleProps {
	id: string;
	text: string;
	shortcut: string | undefined;
	side: Side;
	anchor: HTMLElement | null;
	silent: boolean;
}

function Bubble({ id, text, shortcut, side, anchor, silent }: BubbleProps) {
	const bubble = useRef<HTMLSpanElement>(null);
	useEffect(() => {
		const target = anchor?.firstElementChild;
		if (!bubble.current || !target) return;
		bubble.current.showPopover();
		placeBeside(target.getBoundingClientRect(), bubble.current, side, "center");
	}, [anchor, side]);
	return (
		<span
			ref={bubble}
			id={id}
			className="rd-tooltip"
			role={silent ? undefined : "tooltip"}
			aria-hidden={silent || undefined}
			popover="manual"
		>
			{text}
			{shortcut && <Kbd keys={shortcut} />}
		</span>
	);
}
