import { cva, type VariantProps } from "class-variance-authority";
import { Slot } from "radix-ui";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

export const buttonStyle = cva(
  "inline-flex shrink-0 items-center justify-center gap-2 rounded-lg font-medium whitespace-nowrap transition-colors select-none disabled:cursor-not-allowed disabled:opacity-50 aria-disabled:opacity-50 [&_svg]:size-4 [&_svg]:shrink-0",
  {
    variants: {
      look: {
        primary: "bg-accent text-on-accent hover:bg-accent-strong",
        plain: "border border-control/50 bg-surface text-ink hover:bg-raised",
        ghost: "text-ink hover:bg-raised",
        danger: "border border-bad/40 bg-surface text-bad hover:bg-bad-soft",
      },
      size: {
        small: "h-8 px-2.5 text-sm",
        medium: "h-10 px-4 text-sm",
        large: "h-12 px-5 text-base",
        icon: "size-9",
      },
    },
    defaultVariants: { look: "plain", size: "medium" },
  },
);

type Props = ComponentProps<"button"> & VariantProps<typeof buttonStyle> & { asChild?: boolean };

export const Button = ({ className, look, size, asChild, type = "button", ...rest }: Props) => {
  const Component = asChild ? Slot.Root : "button";
  return <Component className={cn(buttonStyle({ look, size }), className)} {...(asChild ? {} : { type })} {...rest} />;
};
