import type { LucideIcon } from './icon';

/** Something that the command palette can do. */
interface Command {
	label: string;
	icon: LucideIcon;
	/** Other words under which it is found. */
	keywords?: string[];
	run: () => void;
}

/** Commands under one heading. */
export interface CommandGroup {
	label: string;
	commands: Command[];
}
