import { X } from "lucide-react";
import { type ReactNode, useEffect, useId, useRef, useSyncExternalStore } from "react";
import { createPortal } from "react-dom";
import { IconButton } from "../icon-button/icon-button.tsx";

export interface DialogProps {
	open: boolean;
	/** Escape, the close button or a press outside. The caller then sets `open` to false. */
	onClose: () => void;
	title: string;
	description?: ReactNode;
	size?: "small" | "medium" | "large" | undefined;
	/** Buttons at the bottom, the one that does it last. */
	footer?: ReactNode;
	children?: ReactNode;
}

/**
 * A native modal dialog: the browser keeps the focus inside and gives it back afterwards. The element with
 * `data-autofocus` gets the focus first. Its content exists only while it is open, so it starts afresh each time. It is
 * the document's own child: what opened it may be hidden meanwhile, by a window that becomes narrow.
 */
export function Dialog(props: DialogProps) {
	return useIsBrowser() && props.open ? <OpenDialog {...props} /> : null;
}

const unchanging = () => () => undefined;

/** A page that is rendered on the server has no document yet to hang a dialog on; it opens once the page is alive. */
function useIsBrowser(): boolean {
	return useSyncExternalStore(
		unchanging,
		() => true,
		() => false,
	);
}

function OpenDialog({ onClose, title, description, size = "medium", footer, children }: DialogProps) {
	const id = useId();
	const dialog = useRef<HTMLDialogElement>(null);
	const close = useRef(onClose);
	close.current = onClose;

	useEffect(() => {
		const element = dialog.current;
		if (!element) return;
		const opener = document.activeElement;
		const theme = opener?.closest<HTMLElement>("[data-theme]")?.dataset.theme;
		if (theme) element.dataset.theme = theme;
		if (!element.open) element.showModal();
		element.querySelector<HTMLElement>("[data-autofocus]")?.focus();
		const pressOutside = (event: PointerEvent) => {
			if (event.target === element) close.current();
		};
		element.addEventListener("pointerdown", pressOutside);
		return () => {
			element.removeEventListener("pointerdown", pressOutside);
			element.close();
			if (opener instanceof HTMLElement) opener.focus({ preventScroll: true });
		};
	}, []);

	return createPortal(
		<dialog
			ref={dialog}
			className="rd-dialog"
			data-size={size}
			aria-labelledby={`${id}-title`}
			aria-describedby={description ? `${id}-description` : undefined}
			onCancel={(event) => {
				event.preventDefault();
				onClose();
			}}
		>
			<div className="rd-dialog-frame">
				<header className="rd-dialog-header">
					<h2 id={`${id}-title`}>{title}</h2>
					{description && <p id={`${id}-description`}>{description}</p>}
				</header>
				{children !== undefined && <div className="rd-dialog-body">{children}</div>}
				{footer && <footer className="rd-dialog-footer">{footer}</footer>}
				<div className="rd-dialog-close">
					<IconButton label="Close" icon={<X aria-hidden />} size="small" onClick={onClose} />
				</div>
			</div>
		</dialog>,
		document.body,
	);
}
