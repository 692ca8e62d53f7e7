/** The parts of the chart library that are used; loaded when the first chart is shown. */
import { BarChart, LineChart } from 'echarts/charts';
import {
	BrushComponent,
	GridComponent,
	LegendScrollComponent,
	TooltipComponent
} from 'echarts/components';
import { init, use } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';

use([
	BarChart,
	BrushComponent,
	CanvasRenderer,
	GridComponent,
	LegendScrollComponent,
	LineChart,
	TooltipComponent
]);

export { init };
